//! Overload with expensive requests: memory stays bounded, rejected clients learn when to retry, and
//! afterwards the server works as before.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use insula_tests::{concurrently, console};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::{sleep, timeout},
};

use crate::{
    house::{House, mebibytes},
    person::{PROJECTS, Person},
};

/// Of each kind, at once.
const REQUESTS: usize = 2000;

/// The most that a body may be.
const BODY: usize = 1024 * 1024;

/// Loopback addresses they come from: one alone gets no more than half of the places.
const ADDRESSES: [&str; 4] = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

/// Resident, at most: 256 requests with 1 MiB each, what the connections hold, and the program.
const MEMORY: u64 = 512 * 1024 * 1024;

/// What is wrong at the end.
pub(crate) async fn run() -> Result<Vec<String>, String> {
    console::title(&format!("{REQUESTS} requests at once, from {} addresses", ADDRESSES.len()));
    let house = House::build(1, &[]).await?;
    let founder = house.founder().await?;
    let (before, _) = house.memory().await?;
    let mut faults = Vec::new();

    let writes = large(&house, founder.token()).await;
    faults.extend(report("writes of 1 MiB", &writes, &[408, 422], &house).await?);
    faults.extend(recovered(&founder).await);

    let reads = stuck(&house, &founder).await?;
    faults.extend(report("reads while the table is locked", &reads, &[200], &house).await?);
    faults.extend(recovered(&founder).await);

    let (after, peak) = house.memory().await?;
    console::line(&format!(
        "  memory: {} before, {} afterwards, {} at most ({})",
        mebibytes(before),
        mebibytes(after),
        mebibytes(peak),
        mebibytes(MEMORY)
    ));
    faults.extend((peak > MEMORY).then(|| format!("{} of memory", mebibytes(peak))));
    if !faults.is_empty() {
        console::line(&house.logs().await);
    }
    Ok(faults)
}

/// How often each answer came: its status, or what came instead of one.
type Answers = BTreeMap<String, usize>;

/// Bodies of 1 MiB that all come in before any of them ends.
async fn large(house: &House, token: &str) -> Answers {
    let head = format!(
        "POST {PROJECTS} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {BODY}\r\n\r\n"
    );
    let port = house.ports[0];
    let name = "x".repeat(BODY - r#"{"code":"BIG","name":""}"#.len());
    let body: std::sync::Arc<str> = format!(r#"{{"code":"BIG","name":"{name}"}}"#).into();
    let answers = concurrently(REQUESTS, |number| {
        let (head, body) = (head.clone(), std::sync::Arc::clone(&body));
        async move {
            let said = timeout(Duration::from_secs(60), say(number, port, &head, &body)).await;
            said.unwrap_or_else(|_| "no answer within 60 s".to_owned())
        }
    });
    count(answers.await)
}

/// All but the last byte, a pause in which the others send theirs, and that byte.
async fn say(number: usize, port: u16, head: &str, body: &str) -> String {
    let connect = async {
        let socket = TcpSocket::new_v4()?;
        let address: IpAddr = address(number);
        socket.bind((address, 0).into())?;
        socket.connect(([127, 0, 0, 1], port).into()).await
    };
    let socket = match connect.await {
        Ok(socket) => socket,
        Err(error) => return format!("no connection: {error}"),
    };
    let (mut reads, mut writes) = socket.into_split();
    let mut answer = Vec::new();
    // A server that refuses early does not take the rest.
    let sending = async {
        writes.write_all(head.as_bytes()).await?;
        writes.write_all(&body.as_bytes()[..BODY - 1]).await?;
        sleep(Duration::from_secs(3)).await;
        writes.write_all(&body.as_bytes()[BODY - 1..]).await
    };
    let (_, _) = tokio::join!(sending, reads.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer);
    let can_wait = answer.to_lowercase().contains("\r\nretry-after: ");
    let status = answer.split(' ').nth(1).unwrap_or("cut");
    told(status, can_wait)
}

/// Reads of a table that nobody can read for some seconds.
async fn stuck(house: &House, founder: &Person) -> Result<Answers, String> {
    let people: Vec<Person> =
        (0..ADDRESSES.len()).map(|number| founder.from(address(number))).collect::<Result<_, _>>()?;
    let database = house.database().await;
    let held = database.hold("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").await;
    let answers = concurrently(REQUESTS, |number| {
        let person = people[number % people.len()].clone();
        async move {
            match person.get(PROJECTS).await {
                Ok(answer) => told(&answer.status.to_string(), answer.can_wait),
                Err(reason) => reason,
            }
        }
    });
    let answers = answers.await;
    held.rollback().await;
    Ok(count(answers))
}

fn address(number: usize) -> IpAddr {
    ADDRESSES[number % ADDRESSES.len()].parse().unwrap_or(std::net::Ipv4Addr::LOCALHOST.into())
}

fn told(status: &str, can_wait: bool) -> String {
    match (status, can_wait) {
        ("503", false) => "503 without Retry-After".to_owned(),
        _ => status.to_owned(),
    }
}

fn count(answers: Vec<String>) -> Answers {
    let mut counts = Answers::new();
    answers.into_iter().for_each(|answer| *counts.entry(answer).or_default() += 1);
    counts
}

/// Says what came; complains of what should not have.
async fn report(what: &str, answers: &Answers, proper: &[u16], house: &House) -> Result<Vec<String>, String> {
    let shown: Vec<_> = answers.iter().map(|(answer, number)| format!("{number} x {answer}")).collect();
    let (_, peak) = house.memory().await?;
    let proper: Vec<_> = proper.iter().chain(&[503]).map(u16::to_string).collect();
    console::line(&format!(
        "  {what}: {} ({}), {} at most",
        shown.join(", "),
        proper.join(", "),
        mebibytes(peak)
    ));
    let improper: usize = answers.iter().filter(|(answer, _)| !proper.contains(answer)).map(|(_, n)| n).sum();
    Ok((improper > 0).then(|| format!("{what}: {improper} improper answers")).into_iter().collect())
}

/// It serves again as if nothing had been.
async fn recovered(founder: &Person) -> Option<String> {
    for _ in 0..100 {
        if founder.list().await.is_ok() {
            return None;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Some("it does not serve any more".to_owned())
}

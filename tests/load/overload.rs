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
    client::{LoadClient, PROJECTS},
    cluster::{LoadCluster, mebibytes},
};

/// Concurrent requests of each kind.
const REQUESTS: usize = 2000;

/// Largest allowed body in bytes.
const BODY: usize = 1024 * 1024;

/// Loopback addresses of the clients: one address gets at most half of the connections.
const ADDRESSES: [&str; 4] = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

/// Limit of resident memory in bytes: 256 requests with 1 MiB each, what the connections hold, and the program.
const MEMORY: u64 = 512 * 1024 * 1024;

/// Returns a sentence for each fault.
pub(crate) async fn run() -> Result<Vec<String>, String> {
    console::title(&format!("{REQUESTS} requests at once, from {} addresses", ADDRESSES.len()));
    let cluster = LoadCluster::start(1, &[]).await?;
    let owner = cluster.owner().await?;
    let (before, _) = cluster.memory().await?;
    let mut faults = Vec::new();

    let writes = write_large_bodies(&cluster, owner.token()).await;
    faults.extend(report("writes of 1 MiB", &writes, &[408, 422], &cluster).await?);
    faults.extend(recovered(&owner).await);

    let reads = read_locked_table(&cluster, &owner).await?;
    faults.extend(report("reads while the table is locked", &reads, &[200], &cluster).await?);
    faults.extend(recovered(&owner).await);

    let (after, peak) = cluster.memory().await?;
    console::line(&format!(
        "  memory: {} before, {} afterwards, {} at most ({})",
        mebibytes(before),
        mebibytes(after),
        mebibytes(peak),
        mebibytes(MEMORY)
    ));
    faults.extend((peak > MEMORY).then(|| format!("{} of memory", mebibytes(peak))));
    if !faults.is_empty() {
        console::line(&cluster.logs().await);
    }
    Ok(faults)
}

/// Number of answers by status or error.
type Answers = BTreeMap<String, usize>;

/// Sends bodies of 1 MiB that all arrive before any of them ends.
async fn write_large_bodies(cluster: &LoadCluster, token: &str) -> Answers {
    let head = format!(
        "POST {PROJECTS} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {BODY}\r\n\r\n"
    );
    let port = cluster.ports[0];
    let name = "x".repeat(BODY - r#"{"code":"BIG","name":""}"#.len());
    let body: std::sync::Arc<str> = format!(r#"{{"code":"BIG","name":"{name}"}}"#).into();
    let answers = concurrently(REQUESTS, |number| {
        let (head, body) = (head.clone(), std::sync::Arc::clone(&body));
        async move {
            let said = timeout(Duration::from_secs(60), send_slowly(number, port, &head, &body)).await;
            said.unwrap_or_else(|_| "no answer within 60 s".to_owned())
        }
    });
    count(answers.await)
}

/// Sends all but the last byte, waits while the others do the same, and sends that byte.
async fn send_slowly(number: usize, port: u16, head: &str, body: &str) -> String {
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
    status_text(status, can_wait)
}

/// Reads a table while it is locked.
async fn read_locked_table(cluster: &LoadCluster, owner: &LoadClient) -> Result<Answers, String> {
    let clients: Vec<LoadClient> =
        (0..ADDRESSES.len()).map(|number| owner.from(address(number))).collect::<Result<_, _>>()?;
    let database = cluster.database().await;
    let held = database.hold("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").await;
    let answers = concurrently(REQUESTS, |number| {
        let client = clients[number % clients.len()].clone();
        async move {
            match client.get(PROJECTS).await {
                Ok(answer) => status_text(&answer.status.to_string(), answer.can_wait),
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

fn status_text(status: &str, can_wait: bool) -> String {
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

/// Prints the answers; returns a fault for the unexpected ones.
async fn report(
    what: &str,
    answers: &Answers,
    expected: &[u16],
    cluster: &LoadCluster,
) -> Result<Vec<String>, String> {
    let shown: Vec<_> = answers.iter().map(|(answer, number)| format!("{number} x {answer}")).collect();
    let (_, peak) = cluster.memory().await?;
    let expected: Vec<_> = expected.iter().chain(&[503]).map(u16::to_string).collect();
    console::line(&format!(
        "  {what}: {} ({}), {} at most",
        shown.join(", "),
        expected.join(", "),
        mebibytes(peak)
    ));
    let unexpected: usize =
        answers.iter().filter(|(answer, _)| !expected.contains(answer)).map(|(_, n)| n).sum();
    Ok((unexpected > 0).then(|| format!("{what}: {unexpected} unexpected answers")).into_iter().collect())
}

/// Waits until the server works again; returns a fault when it does not.
async fn recovered(owner: &LoadClient) -> Option<String> {
    for _ in 0..100 {
        if owner.list_projects().await.is_ok() {
            return None;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Some("it does not serve any more".to_owned())
}

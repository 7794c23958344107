//! 10,000 idle connections after one request each: they need little memory and delay no other client.

use std::time::{Duration, Instant};

use insula_tests::{
    concurrently, console,
    stats::{milliseconds, quantile},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::LoadClient,
    cluster::{LoadCluster, mebibytes},
};

const CONNECTIONS: usize = 10_000;

/// Tasks that open connections concurrently.
const OPENERS: usize = 50;

/// Other open files of this program and of the server.
const SPARE: u64 = 400;

/// Sequential requests per path while the connections are open.
const REQUESTS: usize = 300;

/// Limits: resident memory in bytes with all connections, and the median duration of a health check.
const MEMORY: u64 = 200 * 1024 * 1024;
const HEALTH: Duration = Duration::from_millis(20);

/// Returns a sentence for each fault.
pub(crate) async fn run() -> Result<Vec<String>, String> {
    console::title(&format!("{CONNECTIONS} idle connections"));
    let files = files()?;
    if files < CONNECTIONS as u64 + SPARE {
        return Err(format!(
            "{CONNECTIONS} connections need more files than {files}: raise the hard limit (ulimit -Hn)"
        ));
    }
    // The default, and some more for the clients that send requests.
    let cluster = LoadCluster::start(1, &[("INSULA_MAX_CONNECTIONS", "10100")]).await?;
    let owner = cluster.owner().await?;
    let (before, _) = cluster.memory().await?;
    let from = Instant::now();
    let held = open(cluster.ports[0]).await?;
    let opened = from.elapsed();

    let mut faults = Vec::new();
    let health = measure(&owner, "/health", &mut faults).await;
    let reads = measure(&owner, crate::client::PROJECTS, &mut faults).await;
    let (after, _) = cluster.memory().await?;
    let measured = from.elapsed();
    // A closed connection would read an end.
    let cut = held.iter().filter(|socket| !is_open(socket)).count();
    console::line(&format!(
        "  {} connections opened in {:.1} s, {cut} of them cut after {:.1} s (0)",
        held.len(),
        opened.as_secs_f32(),
        measured.as_secs_f32()
    ));
    let median = quantile(&health, 0.5);
    console::line(&format!(
        "  health: {} ms in the middle ({}), {} ms for 99 of 100; reads: {} ms, {} ms",
        milliseconds(median),
        HEALTH.as_millis(),
        milliseconds(quantile(&health, 0.99)),
        milliseconds(quantile(&reads, 0.5)),
        milliseconds(quantile(&reads, 0.99))
    ));
    console::line(&format!(
        "  memory: {} before, {} with them ({}), {} KiB each",
        mebibytes(before),
        mebibytes(after),
        mebibytes(MEMORY),
        after.saturating_sub(before) / 1024 / CONNECTIONS as u64
    ));
    faults.extend((cut > 0).then(|| format!("{cut} connections were cut")));
    faults.extend((median > HEALTH).then(|| format!("health takes {} ms", milliseconds(median))));
    faults.extend((after > MEMORY).then(|| format!("{} of memory", mebibytes(after))));
    Ok(faults)
}

/// Raises the limit of open files to the hard limit and returns it.
fn files() -> Result<u64, String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .map_err(|error| format!("cannot raise the limit of open files: {error}"))?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Opens all connections; each has received an answer.
async fn open(port: u16) -> Result<Vec<TcpStream>, String> {
    const GET: &[u8] = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";
    let opened = concurrently(OPENERS, move |_| async move {
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS / OPENERS {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
            socket.write_all(GET).await?;
            let mut answer = [0; 2048];
            let read = socket.read(&mut answer).await?;
            if !answer[..read].starts_with(b"HTTP/1.1 200") {
                return Err(std::io::Error::other(String::from_utf8_lossy(&answer[..read])));
            }
            held.push(socket);
        }
        Ok(held)
    });
    let opened: std::io::Result<Vec<_>> = opened.await.into_iter().collect();
    let opened = opened.map_err(|error| format!("a connection failed: {error}"))?;
    Ok(opened.into_iter().flatten().collect())
}

fn is_open(socket: &TcpStream) -> bool {
    let mut rest = [0; 2048];
    match socket.try_read(&mut rest) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// Durations of the requests; adds a fault when some are no 200.
async fn measure(client: &LoadClient, path: &str, faults: &mut Vec<String>) -> Vec<Duration> {
    let (mut times, mut failed) = (Vec::new(), 0);
    for _ in 0..REQUESTS {
        let from = Instant::now();
        match timeout(Duration::from_secs(10), client.get(path)).await {
            Ok(Ok(answer)) if answer.status == 200 => times.push(from.elapsed()),
            _ => failed += 1,
        }
    }
    faults.extend((failed > 0).then(|| format!("{failed} of {REQUESTS} requests for {path} failed")));
    times
}

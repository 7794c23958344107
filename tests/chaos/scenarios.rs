//! Single scenarios: no Redis for a minute, a backlog of e-mails, one organization with many e-mails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use insula_tests::{ClusterConfig, DatabaseKind, FaultMode, JobOwner, POLL_INTERVAL, TestCluster, console};

use crate::{client::ChaosClient, name};

/// Bytes of a worker, whatever waits for it.
const WORKER_MEMORY: u64 = 256 << 20;

/// Bytes of Redis, whatever waits.
const REDIS_MEMORY: u64 = 64 << 20;

/// Redis is away for a minute, and every e-mail arrives within 15 s.
pub(crate) async fn redis_absent(kind: DatabaseKind) -> Result<Vec<String>, String> {
    const MOST: Duration = Duration::from_secs(15);
    let cluster = TestCluster::start(ClusterConfig::with_worker(kind)).await?;
    let Some(servers) = &cluster.servers else { return Ok(Vec::new()) };
    console::title(&format!("Redis absent for 60 s, on {}", name(kind)));
    cluster.start_workers().await?;
    let client = ChaosClient::new(&cluster.url, &Arc::default())?;
    let mut delays = Vec::new();
    servers.redis.lock().await.kill();
    let from = Instant::now();
    while from.elapsed() < Duration::from_secs(60) {
        console::progress(&format!("{} mails", delays.len()));
        delays.push(mail_delay(&cluster, &client, &format!("absent{}@example.com", delays.len())).await?);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    servers.redis.lock().await.restart().await?;
    delays.push(mail_delay(&cluster, &client, "back@example.com").await?);
    let longest = delays.iter().max().copied().unwrap_or_default();
    console::line(&format!("  {} mails, the slowest after {:.2} s", delays.len(), longest.as_secs_f32()));
    let mut faults = cluster.unexpected_exits().await;
    faults.extend((longest > MOST).then(|| format!("a mail took {longest:?}, more than {MOST:?}")));
    Ok(faults)
}

/// 20,000 e-mails wait before the worker starts.
pub(crate) async fn backlog(kind: DatabaseKind) -> Result<Vec<String>, String> {
    const MAILS: usize = 20_000;
    console::title(&format!("{MAILS} mails wait for a worker, on {}", name(kind)));
    let cluster = TestCluster::start(ClusterConfig::with_worker(kind)).await?;
    let client = ChaosClient::new(&cluster.url, &Arc::default())?;
    let database = cluster.database().await;
    let (_, user) = client.owner(&database, "ada@example.com").await?;
    database.insert_welcome_jobs(&user, MAILS, JobOwner::Platform).await;
    let from = Instant::now();
    cluster.start_workers().await?;
    // That of the owner's registration is one more.
    while cluster.fake_smtp.lock().await.refresh().len() <= MAILS {
        let sent = cluster.fake_smtp.lock().await.refresh().len();
        console::progress(&format!("{sent} of {MAILS} mails"));
        if from.elapsed() > Duration::from_secs(300) {
            return Ok(vec![format!(
                "only {sent} of {MAILS} mails after {:?}\n{}",
                from.elapsed(),
                cluster.logs().await
            )]);
        }
        cluster.restart_ended().await?;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let took = from.elapsed();
    cluster.drain().await?;
    let memory = cluster.workers[0].lock().await.peak_memory().ok_or("the worker's memory cannot be read")?;
    let redis = match &cluster.servers {
        Some(servers) => servers.redis.lock().await.peak_memory().await.map_err(|error| error.to_string())?,
        None => 0,
    };
    let (delivered, _) = cluster.fake_smtp.lock().await.count();
    let twice = delivered.values().filter(|times| **times > 1).count();
    console::line(&format!(
        "  {MAILS} mails in {:.1} s: {:.0}/s; worker at most {} MiB, Redis at most {} MiB",
        took.as_secs_f32(),
        MAILS as f32 / took.as_secs_f32(),
        memory >> 20,
        redis >> 20,
    ));
    let mut faults = cluster.unexpected_exits().await;
    faults.extend((delivered.len() != MAILS + 1).then(|| format!("{} different mails", delivered.len())));
    faults.extend((twice > 0).then(|| format!("{twice} mails came twice, and no process was killed")));
    faults.extend((memory > WORKER_MEMORY).then(|| format!("the worker took {} MiB", memory >> 20)));
    faults.extend((redis > REDIS_MEMORY).then(|| format!("Redis took {} MiB", redis >> 20)));
    Ok(faults)
}

/// 10,000 e-mails of one organization wait, and those of others are sent within 5 s all the same.
pub(crate) async fn fairness(kind: DatabaseKind) -> Result<Vec<String>, String> {
    const MAILS: usize = 10_000;
    const MOST: Duration = Duration::from_secs(5);
    console::title(&format!("{MAILS} mails of one organization, on {}", name(kind)));
    let cluster = TestCluster::start(ClusterConfig::with_worker(kind)).await?;
    let client = ChaosClient::new(&cluster.url, &Arc::default())?;
    let database = cluster.database().await;
    let (_, user) = client.owner(&database, "ada@example.com").await?;
    cluster.start_workers().await?;
    cluster.fake_smtp.lock().await.set_mode(FaultMode::Slow(Duration::from_millis(20)))?;
    database.insert_welcome_jobs(&user, MAILS, JobOwner::Personal).await;
    let mut delays = Vec::new();
    // While at least a thousand of them wait.
    while cluster.fake_smtp.lock().await.refresh().len() < MAILS - 1000 {
        delays.push(mail_delay(&cluster, &client, &format!("other{}@example.com", delays.len())).await?);
        console::progress(&format!("{} mails of others", delays.len()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        if delays.len() >= 60 {
            break;
        }
    }
    let longest = delays.iter().max().copied().unwrap_or_default();
    console::line(&format!(
        "  {} mails of others, the slowest after {:.2} s",
        delays.len(),
        longest.as_secs_f32()
    ));
    let mut faults = cluster.unexpected_exits().await;
    faults.extend((delays.is_empty()).then(|| "the backlog was empty before any other e-mail".to_owned()));
    faults.extend((longest > MOST).then(|| format!("a mail took {longest:?}, more than {MOST:?}")));
    Ok(faults)
}

/// From the acknowledgement of a registration to its mail.
async fn mail_delay(cluster: &TestCluster, client: &ChaosClient, email: &str) -> Result<Duration, String> {
    while client.register(email).await.is_none() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let from = Instant::now();
    loop {
        let mut fake_smtp = cluster.fake_smtp.lock().await;
        if let Some(delivery) = fake_smtp.refresh().iter().rev().find(|delivery| delivery.to == email) {
            return Ok(delivery.at.saturating_duration_since(from));
        }
        drop(fake_smtp);
        if from.elapsed() > Duration::from_secs(120) {
            return Err(format!("no mail to {email} within 120 s\n{}", cluster.logs().await));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

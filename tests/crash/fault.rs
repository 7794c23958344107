//! What is broken, how it is mended, and how long it took until all was well.

use std::{
    fmt,
    time::{Duration, Instant},
};

use insula_tests::{DatabaseKind, FaultMode, TestCluster, TestRng};

/// What can be killed and stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Api,
    Worker(usize),
    Postgres,
    Redis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9; started again after a while.
    Kill(Part, Duration),
    /// SIGSTOP, and SIGCONT after a while.
    Stop(Part, Duration),
    /// SIGTERM to a worker, which has to end well, and is started again.
    Terminate(usize),
    /// FLUSHALL.
    Flush,
    /// The mail server is like that for a while.
    MailServer(FaultMode, Duration),
}

impl Fault {
    /// Without its number and its length: what is counted together.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::Kill(part, _) => format!("kill -9 {part}"),
            Self::Stop(part, _) => format!("stop {part}"),
            Self::Terminate(_) => "SIGTERM worker".to_owned(),
            Self::Flush => "FLUSHALL".to_owned(),
            Self::MailServer(mode, _) => format!("mail: {}", mode.to_string().replace(char::is_numeric, "")),
        }
    }

    /// May it make mails come twice: was somebody killed between the mail server's yes and the note of it?
    pub(crate) fn excuses_duplicates(self, kind: DatabaseKind) -> bool {
        match self {
            Self::Kill(Part::Worker(_) | Part::Postgres, _) => true,
            Self::Kill(Part::Api, _) => kind == DatabaseKind::Sqlite,
            _ => false,
        }
    }

    /// One for this stage.
    pub(crate) fn throw(rng: &mut TestRng, cluster: &TestCluster) -> Self {
        let mut parts = vec![Part::Api];
        parts.extend((0..cluster.workers.len()).map(Part::Worker));
        if cluster.database_kind == DatabaseKind::Postgres {
            parts.extend([Part::Postgres, Part::Redis]);
        }
        let slow = FaultMode::Slow(Duration::from_millis(300));
        let modes = [
            FaultMode::Busy,
            FaultMode::Refuse,
            FaultMode::Silent,
            FaultMode::Cut,
            FaultMode::CutAccepted,
            slow,
        ];
        loop {
            return match rng.below(10) {
                0..4 => {
                    let part = rng.choose(&parts);
                    Self::Kill(part, part.downtime(rng))
                }
                4 | 5 => Self::Stop(rng.choose(&parts), rng.duration_between(500, 3000)),
                6 if !cluster.workers.is_empty() => {
                    Self::Terminate(usize::try_from(rng.below(cluster.workers.len() as u64)).unwrap_or(0))
                }
                7 if cluster.database_kind == DatabaseKind::Postgres => Self::Flush,
                8 | 9 => Self::MailServer(rng.choose(&modes), rng.duration_between(1000, 5000)),
                _ => continue,
            };
        }
    }

    /// Breaks it, waits, and mends it. Gives the moment at which it was whole again.
    ///
    /// # Errors
    /// When it cannot be mended, or does not end as it has to.
    pub(crate) async fn happen(self, cluster: &TestCluster) -> Result<Instant, String> {
        match self {
            Self::Kill(part, downtime) => part.kill(cluster, downtime).await?,
            Self::Stop(part, length) => {
                part.signal(cluster, "STOP").await;
                tokio::time::sleep(length).await;
                part.signal(cluster, "CONT").await;
            }
            Self::Terminate(worker) => {
                let mut worker = cluster.workers[worker].lock().await;
                worker.terminate().await?;
                worker.start().await?;
            }
            Self::Flush => {
                if let Some(servers) = &cluster.servers {
                    servers.redis.lock().await.flush().await;
                }
            }
            Self::MailServer(mode, length) => {
                cluster.fake_smtp.lock().await.set_mode(mode)?;
                tokio::time::sleep(length).await;
                cluster.fake_smtp.lock().await.set_mode(FaultMode::Accept)?;
            }
        }
        Ok(Instant::now())
    }
}

impl Part {
    fn downtime(self, rng: &mut TestRng) -> Duration {
        match self {
            Self::Api | Self::Worker(_) => rng.duration_between(0, 1000),
            Self::Postgres => rng.duration_between(500, 3000),
            Self::Redis => rng.duration_between(1000, 5000),
        }
    }

    async fn kill(self, cluster: &TestCluster, downtime: Duration) -> Result<(), String> {
        macro_rules! restart {
            ($part:expr, $again:ident) => {{
                let mut part = $part.lock().await;
                part.kill();
                tokio::time::sleep(downtime).await;
                part.$again().await
            }};
        }
        match (self, &cluster.servers) {
            (Self::Api, _) => restart!(cluster.api, start),
            (Self::Worker(number), _) => restart!(cluster.workers[number], start),
            (Self::Postgres, Some(servers)) => restart!(servers.postgres, restart),
            (Self::Redis, Some(servers)) => restart!(servers.redis, restart),
            (Self::Postgres | Self::Redis, None) => Ok(()),
        }
    }

    async fn signal(self, cluster: &TestCluster, name: &str) {
        match (self, &cluster.servers) {
            (Self::Api, _) => cluster.api.lock().await.signal(name),
            (Self::Worker(number), _) => cluster.workers[number].lock().await.signal(name),
            (Self::Postgres, Some(servers)) => servers.postgres.lock().await.signal(name),
            (Self::Redis, Some(servers)) => servers.redis.lock().await.signal(name),
            (Self::Postgres | Self::Redis, None) => {}
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::Worker(_) => "worker",
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        })
    }
}

//! Faults: how they are injected and undone.

use std::{
    fmt,
    time::{Duration, Instant},
};

use insula_tests::{DatabaseKind, FaultMode, TestCluster, TestRng};

/// A process that can be killed and stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Api,
    Worker(usize),
    Postgres,
    Redis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9; started again after a while.
    Kill(Target, Duration),
    /// SIGSTOP, and SIGCONT after a while.
    Stop(Target, Duration),
    /// SIGTERM to a worker, which must exit with 0 and is started again.
    Terminate(usize),
    /// FLUSHALL.
    Flush,
    /// The mail server is in this mode for a while.
    MailServer(FaultMode, Duration),
}

impl Fault {
    /// Without its number and its length: what is counted together.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::Kill(target, _) => format!("kill -9 {target}"),
            Self::Stop(target, _) => format!("stop {target}"),
            Self::Terminate(_) => "SIGTERM worker".to_owned(),
            Self::Flush => "FLUSHALL".to_owned(),
            Self::MailServer(mode, _) => format!("mail: {}", mode.to_string().replace(char::is_numeric, "")),
        }
    }

    /// Whether the fault may duplicate e-mails: it can kill a process between the acceptance of an e-mail and its record.
    pub(crate) fn may_duplicate_mails(self, kind: DatabaseKind) -> bool {
        match self {
            Self::Kill(Target::Worker(_) | Target::Postgres, _) => true,
            Self::Kill(Target::Api, _) => kind == DatabaseKind::Sqlite,
            _ => false,
        }
    }

    /// A random fault for this cluster.
    pub(crate) fn random(rng: &mut TestRng, cluster: &TestCluster) -> Self {
        let mut targets = vec![Target::Api];
        targets.extend((0..cluster.workers.len()).map(Target::Worker));
        if cluster.database_kind == DatabaseKind::Postgres {
            targets.extend([Target::Postgres, Target::Redis]);
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
                    let target = rng.choose(&targets);
                    Self::Kill(target, target.downtime(rng))
                }
                4 | 5 => Self::Stop(rng.choose(&targets), rng.duration_between(500, 3000)),
                6 if !cluster.workers.is_empty() => {
                    Self::Terminate(usize::try_from(rng.below(cluster.workers.len() as u64)).unwrap_or(0))
                }
                7 if cluster.database_kind == DatabaseKind::Postgres => Self::Flush,
                8 | 9 => Self::MailServer(rng.choose(&modes), rng.duration_between(1000, 5000)),
                _ => continue,
            };
        }
    }

    /// Injects the fault, waits, and undoes it. Returns the time of the repair.
    ///
    /// # Errors
    /// When a process does not start again, or does not end as expected.
    pub(crate) async fn inject(self, cluster: &TestCluster) -> Result<Instant, String> {
        match self {
            Self::Kill(target, downtime) => target.kill(cluster, downtime).await?,
            Self::Stop(target, length) => {
                target.signal(cluster, "STOP").await;
                tokio::time::sleep(length).await;
                target.signal(cluster, "CONT").await;
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

impl Target {
    fn downtime(self, rng: &mut TestRng) -> Duration {
        match self {
            Self::Api | Self::Worker(_) => rng.duration_between(0, 1000),
            Self::Postgres => rng.duration_between(500, 3000),
            Self::Redis => rng.duration_between(1000, 5000),
        }
    }

    async fn kill(self, cluster: &TestCluster, downtime: Duration) -> Result<(), String> {
        macro_rules! restart {
            ($target:expr, $again:ident) => {{
                let mut target = $target.lock().await;
                target.kill();
                tokio::time::sleep(downtime).await;
                target.$again().await
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

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::Worker(_) => "worker",
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        })
    }
}

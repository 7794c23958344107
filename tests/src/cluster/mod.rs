//! A whole installation: databases, mail server, API server and workers. All processes end with the cluster.

mod fake_smtp_process;
mod insula_process;

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::Mutex;

pub use self::{
    fake_smtp_process::{Delivery, FakeSmtpProcess, POLL_INTERVAL},
    insula_process::InsulaProcess,
};
use crate::{
    TestDatabase, TestEnv, console,
    services::{Durability, Postgres, Redis, Services, free_port},
};

/// The kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A separate PostgreSQL cluster.
    Postgres,
    /// A SQLite file.
    Sqlite,
}

/// The configuration of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The kind of database.
    pub database_kind: DatabaseKind,
    /// Whether PostgreSQL waits for the disk. SQLite always does.
    pub durability: Durability,
    /// Whether there is a Redis.
    pub has_redis: bool,
    /// The number of separate workers.
    pub workers: usize,
    /// Whether the API server runs without its embedded worker.
    pub no_embedded_worker: bool,
    /// The value of `RUST_LOG`; empty for the default of the program.
    pub log: &'static str,
    /// More settings of its processes.
    pub settings: Vec<(&'static str, String)>,
}

impl ClusterConfig {
    /// A server with an embedded worker; on PostgreSQL with Redis.
    pub fn on(database_kind: DatabaseKind) -> Self {
        let (durability, has_redis) = (Durability::SurvivesKill, database_kind == DatabaseKind::Postgres);
        let (log, settings) = ("", Vec::new());
        Self { database_kind, durability, has_redis, workers: 0, no_embedded_worker: false, log, settings }
    }

    /// A server without an embedded worker, and one separate worker.
    pub fn with_worker(database_kind: DatabaseKind) -> Self {
        Self { workers: 1, no_embedded_worker: true, ..Self::on(database_kind) }
    }
}

/// A running installation. Fields are dropped in order: a field comes before those that it uses.
pub struct TestCluster {
    /// The kind of database.
    pub database_kind: DatabaseKind,
    /// The server.
    pub api: Mutex<InsulaProcess>,
    /// The separate workers.
    pub workers: Vec<Mutex<InsulaProcess>>,
    /// The mail server.
    pub fake_smtp: Mutex<FakeSmtpProcess>,
    /// Its database is in one of the servers.
    env: TestEnv,
    /// PostgreSQL and Redis; `None` on SQLite.
    pub servers: Option<BackingServices>,
    /// The URL of the API server.
    pub url: String,
}

/// The servers that Insula uses.
pub struct BackingServices {
    /// The database.
    pub postgres: Mutex<Postgres>,
    /// It runs even if the configuration does not use it.
    pub redis: Mutex<Redis>,
    _folder: TempDir,
}

impl TestCluster {
    /// Starts everything but the workers.
    ///
    /// # Errors
    /// A sentence when a process does not start.
    pub async fn start(config: ClusterConfig) -> Result<Self, String> {
        let ClusterConfig {
            database_kind,
            durability,
            has_redis,
            workers,
            no_embedded_worker,
            log,
            settings,
        } = config;
        let (env, servers, redis) = match database_kind {
            DatabaseKind::Sqlite => (TestEnv::on_disk(), None, None),
            DatabaseKind::Postgres => {
                let Services { postgres, redis, folder } = Services::start(durability).await?;
                let env = TestEnv::on_postgres(&postgres.url, postgres.admin_url.clone()).await;
                let url = redis.url.clone();
                let servers = BackingServices {
                    postgres: Mutex::new(postgres),
                    redis: Mutex::new(redis),
                    _folder: folder,
                };
                (env, Some(servers), has_redis.then_some(url))
            }
        };
        let fake_smtp = FakeSmtpProcess::start(env.folder())?;
        let port = free_port()?.to_string();
        let mut envs = vec![
            ("INSULA_SMTP_URL".to_owned(), fake_smtp.url.clone()),
            ("INSULA_ACCESS_TOKEN_TTL".to_owned(), "7200".to_owned()),
            ("INSULA_OPS_BIND".to_owned(), "127.0.0.1:0".to_owned()),
            ("NO_COLOR".to_owned(), "1".to_owned()),
        ];
        envs.extend(redis.map(|url| ("REDIS_URL".to_owned(), url)));
        envs.extend((!log.is_empty()).then(|| ("RUST_LOG".to_owned(), log.to_owned())));
        envs.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut serve = vec!["serve", "--port", &port];
        if no_embedded_worker {
            serve.push("--no-worker");
        }
        let mut api = InsulaProcess::new("api", &env, &serve, &envs, "Insula listens on");
        api.start().await?;
        let worker = |number: usize| {
            let name = format!("worker-{number}");
            Mutex::new(InsulaProcess::new(&name, &env, &["worker"], &envs, "Insula worker started"))
        };
        Ok(Self {
            database_kind,
            api: Mutex::new(api),
            workers: (0..workers).map(worker).collect(),
            fake_smtp: Mutex::new(fake_smtp),
            env,
            servers,
            url: format!("http://127.0.0.1:{port}"),
        })
    }

    /// The environment of its processes, for other commands.
    pub fn env(&self) -> &TestEnv {
        &self.env
    }

    /// # Errors
    /// As [`InsulaProcess::start`].
    pub async fn start_workers(&self) -> Result<(), String> {
        for worker in &self.workers {
            worker.lock().await.start().await?;
        }
        Ok(())
    }

    /// Starts processes again after unexpected exits.
    ///
    /// # Errors
    /// As [`InsulaProcess::start`].
    pub async fn restart_ended(&self) -> Result<(), String> {
        self.api.lock().await.restart_ended().await?;
        for worker in &self.workers {
            worker.lock().await.restart_ended().await?;
        }
        Ok(())
    }

    /// A sentence for each process with unexpected exits.
    pub async fn unexpected_exits(&self) -> Vec<String> {
        let mut unexpected_exits = Vec::new();
        for program in std::iter::once(&self.api).chain(&self.workers) {
            let program = program.lock().await;
            if program.unexpected_exits > 0 {
                unexpected_exits
                    .push(format!("{} ended by itself {} times", program.name, program.unexpected_exits));
            }
        }
        unexpected_exits
    }

    /// Opens the database.
    pub async fn database(&self) -> TestDatabase {
        self.env.database().await
    }

    /// Waits until no job is pending and every event is sealed. Jobs that wait for another attempt are made due.
    ///
    /// # Errors
    /// The pending jobs after 180 s.
    pub async fn drain(&self) -> Result<Duration, String> {
        const DRAIN_TIMEOUT: Duration = Duration::from_secs(180);
        let (database, from) = (self.database().await, Instant::now());
        loop {
            self.restart_ended().await?;
            let left = database.scalar("SELECT count(*) FROM outbox WHERE state = 'pending'").await;
            let unsealed = database.scalar("SELECT count(*) FROM audit_events WHERE seq IS NULL").await;
            if left == 0 && unsealed == 0 {
                return Ok(from.elapsed());
            }
            if from.elapsed() > DRAIN_TIMEOUT {
                let jobs = database.texts("SELECT kind || ' attempts=' || attempts || ' lease_expirations=' || lease_expirations || ' ' || coalesce(last_error, '') FROM outbox WHERE state = 'pending' LIMIT 5").await;
                return Err(format!(
                    "{left} jobs still wait and {unsealed} events are not sealed after {DRAIN_TIMEOUT:?}, such as {jobs:#?}"
                ));
            }
            console::progress(&format!("{left} jobs and {unsealed} events are left"));
            database
                .execute(
                    "UPDATE outbox SET run_at = created_at WHERE state = 'pending' AND lease_until IS NULL",
                )
                .await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// The last log lines of the processes above INFO level.
    pub async fn logs(&self) -> String {
        let mut logs = String::new();
        for program in std::iter::once(&self.api).chain(&self.workers) {
            let program = program.lock().await;
            let log = std::fs::read_to_string(program.log()).unwrap_or_default();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains(" INFO ")).collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            logs += &format!("--- {}\n{}\n", program.name, last.join("\n"));
        }
        logs
    }
}

//! Everything that runs: the databases, the mail server, Insula. All of it ours, and gone with the stage.

mod deliveries;
mod program;

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::Mutex;

pub use self::{
    deliveries::{Deliveries, Delivery, LOOK},
    program::Program,
};
use crate::{
    Vault, Workplace, screen,
    services::{Durability, Postgres, Redis, Services, free_port},
};

/// On what Insula runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A cluster of its own.
    Postgres,
    /// A file.
    Sqlite,
}

/// What is put on a stage.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// On what it runs.
    pub database: Database,
    /// Whether PostgreSQL waits for the disk. SQLite always does.
    pub durability: Durability,
    /// Is there a Redis?
    pub has_redis: bool,
    /// How many workers there are besides the server.
    pub workers: usize,
    /// Does the server leave all work to them?
    pub is_alone: bool,
    /// What is logged, as `RUST_LOG` is given it; empty: what the program logs by itself.
    pub log: &'static str,
}

impl Plan {
    /// A server that does its work itself; with PostgreSQL there is a Redis.
    pub fn on(database: Database) -> Self {
        let (durability, has_redis) = (Durability::Lasting, database == Database::Postgres);
        Self { database, durability, has_redis, workers: 0, is_alone: false, log: "" }
    }

    /// A server that leaves all work to one worker beside it.
    pub fn with_worker(database: Database) -> Self {
        Self { workers: 1, is_alone: true, ..Self::on(database) }
    }
}

/// Dropped from top to bottom: users of a field come before it.
pub struct Stage {
    /// On what it runs.
    pub database: Database,
    /// The server.
    pub api: Mutex<Program>,
    /// The processes that do its work, where there are any besides it.
    pub workers: Vec<Mutex<Program>>,
    /// The mail server.
    pub deliveries: Mutex<Deliveries>,
    /// It has a database in one of the servers, and goes before them.
    workplace: Workplace,
    /// PostgreSQL and Redis, where they are used.
    pub servers: Option<Servers>,
    /// Where the server answers.
    pub url: String,
}

/// The servers that Insula may run on.
pub struct Servers {
    /// The database.
    pub postgres: Mutex<Postgres>,
    /// There, also where the plan uses none.
    pub redis: Mutex<Redis>,
    _folder: TempDir,
}

impl Stage {
    /// Everything but the workers.
    ///
    /// # Errors
    /// A sentence, when something does not start.
    pub async fn start(plan: Plan) -> Result<Self, String> {
        let Plan { database, durability, has_redis, workers, is_alone, log } = plan;
        let (workplace, servers, redis) = match database {
            Database::Sqlite => (Workplace::on_disk(), None, None),
            Database::Postgres => {
                let Services { postgres, redis, folder } = Services::start(durability).await?;
                let workplace = Workplace::in_cluster(&postgres.url, postgres.admin_url.clone()).await;
                let url = redis.url.clone();
                let servers =
                    Servers { postgres: Mutex::new(postgres), redis: Mutex::new(redis), _folder: folder };
                (workplace, Some(servers), has_redis.then_some(url))
            }
        };
        let deliveries = Deliveries::start(workplace.folder())?;
        let port = free_port()?.to_string();
        let mut envs = vec![
            ("INSULA_SMTP_URL".to_owned(), deliveries.url.clone()),
            ("INSULA_ACCESS_TOKEN_TTL".to_owned(), "7200".to_owned()),
            ("INSULA_OPS_BIND".to_owned(), "127.0.0.1:0".to_owned()),
            ("NO_COLOR".to_owned(), "1".to_owned()),
        ];
        envs.extend(redis.map(|url| ("REDIS_URL".to_owned(), url)));
        envs.extend((!log.is_empty()).then(|| ("RUST_LOG".to_owned(), log.to_owned())));
        let mut serve = vec!["serve", "--port", &port];
        if is_alone {
            serve.push("--no-worker");
        }
        let mut api = Program::new("api", &workplace, &serve, &envs, "Insula listens on");
        api.start().await?;
        let worker = |number: usize| {
            let name = format!("worker-{number}");
            Mutex::new(Program::new(&name, &workplace, &["worker"], &envs, "Insula worker started"))
        };
        Ok(Self {
            database,
            api: Mutex::new(api),
            workers: (0..workers).map(worker).collect(),
            deliveries: Mutex::new(deliveries),
            workplace,
            servers,
            url: format!("http://127.0.0.1:{port}"),
        })
    }

    /// # Errors
    /// As [`Program::start`].
    pub async fn start_workers(&self) -> Result<(), String> {
        for worker in &self.workers {
            worker.lock().await.start().await?;
        }
        Ok(())
    }

    /// Starts again what has ended by itself.
    ///
    /// # Errors
    /// As [`Program::start`].
    pub async fn tend(&self) -> Result<(), String> {
        self.api.lock().await.tend().await?;
        for worker in &self.workers {
            worker.lock().await.tend().await?;
        }
        Ok(())
    }

    /// The processes that ended though nobody had asked them to, and how often.
    pub async fn surprises(&self) -> Vec<String> {
        let mut surprises = Vec::new();
        for program in std::iter::once(&self.api).chain(&self.workers) {
            let program = program.lock().await;
            if program.surprises > 0 {
                surprises.push(format!("{} ended by itself {} times", program.name, program.surprises));
            }
        }
        surprises
    }

    /// Opens the database.
    pub async fn vault(&self) -> Vault {
        self.workplace.vault().await
    }

    /// Waits until nothing is to be done any more, and every event is sealed; jobs that wait for another attempt are made due, through the vault.
    ///
    /// # Errors
    /// What is still to be done after 180 s.
    pub async fn drain(&self) -> Result<Duration, String> {
        const PATIENCE: Duration = Duration::from_secs(180);
        let (vault, from) = (self.vault().await, Instant::now());
        loop {
            self.tend().await?;
            let left = vault.scalar("SELECT count(*) FROM outbox WHERE state = 'pending'").await;
            let unsealed = vault.scalar("SELECT count(*) FROM audit_events WHERE seq IS NULL").await;
            if left == 0 && unsealed == 0 {
                return Ok(from.elapsed());
            }
            if from.elapsed() > PATIENCE {
                let jobs = vault.texts("SELECT kind || ' attempts=' || attempts || ' lease_expirations=' || lease_expirations || ' ' || coalesce(last_error, '') FROM outbox WHERE state = 'pending' LIMIT 5").await;
                return Err(format!(
                    "{left} jobs still wait and {unsealed} events are not sealed after {PATIENCE:?}, such as {jobs:#?}"
                ));
            }
            screen::passing(&format!("{left} jobs and {unsealed} events are left"));
            vault
                .execute(
                    "UPDATE outbox SET run_at = created_at WHERE state = 'pending' AND lease_until IS NULL",
                )
                .await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// The last output of the processes, for the analysis of a failure.
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

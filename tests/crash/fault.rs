//! What is broken, how it is mended, and how long it took until all was well.

use std::{
    fmt,
    time::{Duration, Instant},
};

use insula_tests::{Database, Dice, Mood, Stage};

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
    Mood(Mood, Duration),
}

impl Fault {
    /// Without its number and its length: what is counted together.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::Kill(part, _) => format!("kill -9 {part}"),
            Self::Stop(part, _) => format!("stop {part}"),
            Self::Terminate(_) => "SIGTERM worker".to_owned(),
            Self::Flush => "FLUSHALL".to_owned(),
            Self::Mood(mood, _) => format!("mail: {}", mood.to_string().replace(char::is_numeric, "")),
        }
    }

    /// May it make mails come twice: was somebody killed between the mail server's yes and the note of it?
    pub(crate) fn excuses_duplicates(self, database: Database) -> bool {
        match self {
            Self::Kill(Part::Worker(_) | Part::Postgres, _) => true,
            Self::Kill(Part::Api, _) => database == Database::Sqlite,
            _ => false,
        }
    }

    /// One for this stage.
    pub(crate) fn throw(dice: &mut Dice, stage: &Stage) -> Self {
        let mut parts = vec![Part::Api];
        parts.extend((0..stage.workers.len()).map(Part::Worker));
        if stage.database == Database::Postgres {
            parts.extend([Part::Postgres, Part::Redis]);
        }
        let slow = Mood::Slow(Duration::from_millis(300));
        let moods = [Mood::Busy, Mood::Refuse, Mood::Silent, Mood::Cut, Mood::CutAccepted, slow];
        loop {
            return match dice.throw(10) {
                0..4 => {
                    let part = dice.one_of(&parts);
                    Self::Kill(part, part.downtime(dice))
                }
                4 | 5 => Self::Stop(dice.one_of(&parts), dice.between(500, 3000)),
                6 if !stage.workers.is_empty() => {
                    Self::Terminate(usize::try_from(dice.throw(stage.workers.len() as u64)).unwrap_or(0))
                }
                7 if stage.database == Database::Postgres => Self::Flush,
                8 | 9 => Self::Mood(dice.one_of(&moods), dice.between(1000, 5000)),
                _ => continue,
            };
        }
    }

    /// Breaks it, waits, and mends it. Gives the moment at which it was whole again.
    ///
    /// # Errors
    /// When it cannot be mended, or does not end as it has to.
    pub(crate) async fn happen(self, stage: &Stage) -> Result<Instant, String> {
        match self {
            Self::Kill(part, downtime) => part.kill(stage, downtime).await?,
            Self::Stop(part, length) => {
                part.signal(stage, "STOP").await;
                tokio::time::sleep(length).await;
                part.signal(stage, "CONT").await;
            }
            Self::Terminate(worker) => {
                let mut worker = stage.workers[worker].lock().await;
                worker.terminate().await?;
                worker.start().await?;
            }
            Self::Flush => {
                if let Some(servers) = &stage.servers {
                    servers.redis.lock().await.flush().await;
                }
            }
            Self::Mood(mood, length) => {
                stage.deliveries.lock().await.be(mood)?;
                tokio::time::sleep(length).await;
                stage.deliveries.lock().await.be(Mood::Accept)?;
            }
        }
        Ok(Instant::now())
    }
}

impl Part {
    fn downtime(self, dice: &mut Dice) -> Duration {
        match self {
            Self::Api | Self::Worker(_) => dice.between(0, 1000),
            Self::Postgres => dice.between(500, 3000),
            Self::Redis => dice.between(1000, 5000),
        }
    }

    async fn kill(self, stage: &Stage, downtime: Duration) -> Result<(), String> {
        macro_rules! restart {
            ($part:expr, $again:ident) => {{
                let mut part = $part.lock().await;
                part.kill();
                tokio::time::sleep(downtime).await;
                part.$again().await
            }};
        }
        match (self, &stage.servers) {
            (Self::Api, _) => restart!(stage.api, start),
            (Self::Worker(number), _) => restart!(stage.workers[number], start),
            (Self::Postgres, Some(servers)) => restart!(servers.postgres, restart),
            (Self::Redis, Some(servers)) => restart!(servers.redis, restart),
            (Self::Postgres | Self::Redis, None) => Ok(()),
        }
    }

    async fn signal(self, stage: &Stage, name: &str) {
        match (self, &stage.servers) {
            (Self::Api, _) => stage.api.lock().await.signal(name),
            (Self::Worker(number), _) => stage.workers[number].lock().await.signal(name),
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

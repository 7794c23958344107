//! Rings carried from the servers to the workers by Redis: one short list, on which servers push and from which one
//! worker each takes. It may lose them all: workers look for jobs too.

use std::time::Duration;

use insula_core::{
    base::{
        backoff::backoff,
        ids::{JobId, OrgId},
    },
    runtime::{
        cluster::{Namespace, redis_client},
        config::Config,
        job_wakeup::JobRef,
    },
};
use redis::{AsyncConnectionConfig, Client, RedisResult, aio::MultiplexedConnection};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::fair_queue::FairQueue;

/// The Redis list of an installation.
const LIST: &str = "jobs";
/// Most jobs in the list. The oldest are dropped.
const LONGEST: isize = 4096;
/// Most jobs sent at once.
const TOGETHER: usize = 256;
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for a ring before asking anew: a connection can be dead without saying so.
const WAIT: Duration = Duration::from_secs(5);
/// How long to wait before connecting again, the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The way to Redis, and the list there.
#[derive(Clone)]
pub struct RedisWakeup {
    client: Client,
    list: String,
}

impl RedisWakeup {
    /// To the Redis that `url` names, by the names of this installation; no connection is made before there is something to carry.
    ///
    /// # Errors
    /// A URL that cannot be read, as a sentence that does not repeat it: it may hold a password.
    pub fn new(url: &str, config: &Config, namespace: &Namespace) -> Result<Self, String> {
        Ok(Self { client: redis_client(url, config)?, list: namespace.name(LIST) })
    }

    /// Sends jobs to the workers until the process ends. While Redis is unavailable they are dropped.
    pub async fn carry(self, mut job_refs: mpsc::Receiver<JobRef>) {
        let (mut state, mut waiting) = (Connection::default(), Vec::new());
        while job_refs.recv_many(&mut waiting, TOGETHER).await > 0 {
            let words: Vec<_> = waiting.drain(..).map(encode).collect();
            let outcome = match state.open(&self.client).await {
                Ok(connection) => push(connection, &self.list, words).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                state.lost(&error, "jobs are found by polling").await;
            }
        }
    }

    /// Hears what servers tell, for ever.
    pub(crate) async fn hear(self, queue: FairQueue) {
        let mut state = Connection::default();
        loop {
            let outcome = match state.open(&self.client).await {
                Ok(connection) => pop(connection, &self.list).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(words) => queue.push(words.iter().filter_map(|word| decode(word))),
                Err(error) => state.lost(&error, "jobs are found by polling").await,
            }
        }
    }
}

/// A connection that is made when it is needed, and again when it was lost.
#[derive(Default)]
struct Connection {
    open: Option<MultiplexedConnection>,
    failures: u32,
}

impl Connection {
    async fn open(&mut self, client: &Client) -> RedisResult<&mut MultiplexedConnection> {
        if self.open.is_none() {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(WAIT + PATIENCE));
            let connecting = client.get_multiplexed_async_connection_with_config(&config);
            let connected =
                timeout(PATIENCE, connecting).await.map_err(|_| std::io::Error::other("no response"))??;
            self.open = Some(connected);
            if std::mem::take(&mut self.failures) > 0 {
                tracing::info!("Redis available again for job wake-ups");
            }
        }
        self.open.as_mut().ok_or_else(|| std::io::Error::other("no connection").into())
    }

    /// Says so once, and waits a little.
    async fn lost(&mut self, error: &redis::RedisError, meanwhile: &str) {
        if self.failures == 0 {
            tracing::warn!(%error, meanwhile, "Redis unavailable for job wake-ups");
        }
        self.failures += 1;
        self.open = None;
        sleep(backoff(self.failures, FIRST_PAUSE, PATIENCE)).await;
    }
}

async fn push(connection: &mut MultiplexedConnection, list: &str, words: Vec<String>) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    pipe.rpush(list, words).ignore().ltrim(list, -LONGEST, -1).ignore();
    let pushed = timeout(PATIENCE, pipe.query_async::<()>(connection));
    pushed.await.map_err(|_| std::io::Error::other("no response"))?
}

/// Waits for one, and takes what lies there with it.
async fn pop(connection: &mut MultiplexedConnection, list: &str) -> RedisResult<Vec<String>> {
    let first: Option<(String, String)> =
        redis::cmd("BLPOP").arg(list).arg(WAIT.as_secs()).query_async(connection).await?;
    let Some((_, first)) = first else { return Ok(Vec::new()) };
    let more: Option<Vec<String>> =
        redis::cmd("LPOP").arg(list).arg(TOGETHER).query_async(connection).await?;
    Ok(std::iter::once(first).chain(more.unwrap_or_default()).collect())
}

fn encode(job_ref: JobRef) -> String {
    format!("{}/{}", job_ref.org, job_ref.job)
}

/// `None` when it is none of ours.
fn decode(word: &str) -> Option<JobRef> {
    let (org, job) = word.split_once('/')?;
    Some(JobRef { org: OrgId(org.parse().ok()?), job: JobId(job.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_heard_as_it_was_rung() {
        let job_ref = JobRef { org: OrgId::PLATFORM, job: JobId(uuid::Uuid::from_u128(7)) };
        assert_eq!(decode(&encode(job_ref)), Some(job_ref));
        assert!(
            ["", "/", "a/b", "00000000-0000-0000-0000-000000000000"]
                .iter()
                .all(|word| decode(word).is_none())
        );
    }

    #[test]
    fn a_url_is_refused_without_being_repeated() {
        let config = Config::read(&insula_core::runtime::config::Sources::only(&[])).unwrap();
        let fault =
            RedisWakeup::new("http://:hunter2@example.com", &config, &Namespace::of("a")).err().unwrap();
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}

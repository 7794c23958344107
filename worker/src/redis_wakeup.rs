//! Tells workers in other processes of new jobs: servers push to one short Redis list, and each entry wakes one worker.
//! Entries may be lost, because workers also poll the outbox.

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
const MAX_LENGTH: isize = 4096;
/// Most jobs of one command.
const BATCH: usize = 256;
/// How long Redis may take to answer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one `BLPOP` waits. After that it is sent again, because a broken connection does not always report itself.
const POP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before the first reconnection; the longest wait is [`REPLY_TIMEOUT`].
const FIRST_RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// The Redis list of an installation. Cheap to clone.
#[derive(Clone)]
pub struct RedisWakeup {
    client: Client,
    list: String,
}

impl RedisWakeup {
    /// The list at `url`, with the key prefix of this installation. Connects when it is first used.
    ///
    /// # Errors
    /// An invalid URL, as a sentence that does not repeat the URL, which may hold a password.
    pub fn new(url: &str, config: &Config, namespace: &Namespace) -> Result<Self, String> {
        Ok(Self { client: redis_client(url, config)?, list: namespace.name(LIST) })
    }

    /// Sends jobs to the workers until the process ends. While Redis is unavailable they are dropped.
    pub async fn send(self, mut job_refs: mpsc::Receiver<JobRef>) {
        let (mut state, mut waiting) = (Connection::default(), Vec::new());
        while job_refs.recv_many(&mut waiting, BATCH).await > 0 {
            let entries: Vec<_> = waiting.drain(..).map(encode).collect();
            let outcome = match state.open(&self.client).await {
                Ok(connection) => push(connection, &self.list, entries).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                state.lost(&error, "jobs are found by polling").await;
            }
        }
    }

    /// Puts the jobs that servers announce into `queue`. Never returns.
    pub(crate) async fn receive(self, queue: FairQueue) {
        let mut state = Connection::default();
        loop {
            let outcome = match state.open(&self.client).await {
                Ok(connection) => pop(connection, &self.list).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(entries) => queue.push(entries.iter().filter_map(|entry| decode(entry))),
                Err(error) => state.lost(&error, "jobs are found by polling").await,
            }
        }
    }
}

/// A connection that is opened when it is needed, and again after it was lost.
#[derive(Default)]
struct Connection {
    open: Option<MultiplexedConnection>,
    failures: u32,
}

impl Connection {
    async fn open(&mut self, client: &Client) -> RedisResult<&mut MultiplexedConnection> {
        if self.open.is_none() {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(REPLY_TIMEOUT))
                .set_response_timeout(Some(POP_TIMEOUT + REPLY_TIMEOUT));
            let connecting = client.get_multiplexed_async_connection_with_config(&config);
            let connected = timeout(REPLY_TIMEOUT, connecting)
                .await
                .map_err(|_| std::io::Error::other("no response"))??;
            self.open = Some(connected);
            if std::mem::take(&mut self.failures) > 0 {
                tracing::info!("Redis available again for job wake-ups");
            }
        }
        self.open.as_mut().ok_or_else(|| std::io::Error::other("no connection").into())
    }

    /// Logs the first failure, and waits before the next connection.
    async fn lost(&mut self, error: &redis::RedisError, meanwhile: &str) {
        if self.failures == 0 {
            tracing::warn!(%error, meanwhile, "Redis unavailable for job wake-ups");
        }
        self.failures += 1;
        self.open = None;
        sleep(backoff(self.failures, FIRST_RECONNECT_DELAY, REPLY_TIMEOUT)).await;
    }
}

async fn push(connection: &mut MultiplexedConnection, list: &str, entries: Vec<String>) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    pipe.rpush(list, entries).ignore().ltrim(list, -MAX_LENGTH, -1).ignore();
    let pushed = timeout(REPLY_TIMEOUT, pipe.query_async::<()>(connection));
    pushed.await.map_err(|_| std::io::Error::other("no response"))?
}

/// Waits for an entry, and takes those that are there too.
async fn pop(connection: &mut MultiplexedConnection, list: &str) -> RedisResult<Vec<String>> {
    let first: Option<(String, String)> =
        redis::cmd("BLPOP").arg(list).arg(POP_TIMEOUT.as_secs()).query_async(connection).await?;
    let Some((_, first)) = first else { return Ok(Vec::new()) };
    let more: Option<Vec<String>> = redis::cmd("LPOP").arg(list).arg(BATCH).query_async(connection).await?;
    Ok(std::iter::once(first).chain(more.unwrap_or_default()).collect())
}

fn encode(job_ref: JobRef) -> String {
    format!("{}/{}", job_ref.org, job_ref.job)
}

/// `None` for an entry that is not one of ours.
fn decode(entry: &str) -> Option<JobRef> {
    let (org, job) = entry.split_once('/')?;
    Some(JobRef { org: OrgId(org.parse().ok()?), job: JobId(job.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_decoded_as_it_was_encoded() {
        let job_ref = JobRef { org: OrgId::PLATFORM, job: JobId(uuid::Uuid::from_u128(7)) };
        assert_eq!(decode(&encode(job_ref)), Some(job_ref));
        assert!(
            ["", "/", "a/b", "00000000-0000-0000-0000-000000000000"]
                .iter()
                .all(|entry| decode(entry).is_none())
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

//! Background work, inside the server or in a process of its own.
//!
//! A worker learns of jobs through a channel from the server in its process ([`Worker::job_refs`]), through Redis
//! ([`redis_wakeup`]) and by polling the outbox (`poller`). They wait in one `fair_queue`. The `executor` claims them
//! from there and has an apalis worker give each to the `job_handler`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod smtp;
mod mailer;
mod fair_queue;
pub mod redis_wakeup;
mod poller;
mod claim_batcher;
mod job_handler;
mod executor;
mod queue_metrics;
mod audit_flush;
mod key_rotation;
mod scheduler;

use std::{process, sync::Arc, time::Duration};

use executor::Executor;
use fair_queue::FairQueue;
use insula_core::{
    base::ids::JobId,
    lifecycle::maintenance::Retention,
    runtime::{job_wakeup::JobRef, telemetry::Heartbeat},
    storage::{audit_chain::Signer, db::Db},
};
use job_handler::JobHandler;
pub use key_rotation::KeyRotation;
pub use mailer::{Mailer, TestEmailError, mail_languages};
use scheduler::TaskContext;
use tokio::{
    select,
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long running jobs may take after the stop; then they are released.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long storing the last results may take after that.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// A background worker and what it needs.
pub struct Worker {
    /// The database with the jobs.
    pub db: Db,
    /// Sends the e-mails.
    pub mailer: Mailer,
    /// When signing keys are replaced.
    pub keys: KeyRotation,
    /// How long finished jobs, e-mails and the like are kept.
    pub retention: Retention,
    /// Beats each time the outbox is polled.
    pub heartbeat: Heartbeat,
    /// New jobs of the server in this process, where there is one.
    pub job_refs: Option<mpsc::Receiver<JobRef>>,
    /// New jobs of other processes, where Redis is configured.
    pub redis: Option<redis_wakeup::RedisWakeup>,
    /// Most jobs at a time.
    pub concurrency: usize,
}

impl Worker {
    /// Works until `stop`. Jobs that run then are finished, or released after 20 seconds.
    pub async fn run(self, stop: CancellationToken) {
        let Self { db, mailer, keys, retention, heartbeat, job_refs, redis, concurrency } = self;
        // Unique for each start: the leases of an earlier process are not its own.
        let name = format!("{}-{}", process::id(), JobId::new(db.now()));
        let signer = Signer::new(keys.master.clone());
        let queue = FairQueue::default();
        let (hard_stop, writer_stop) = (CancellationToken::new(), CancellationToken::new());
        let (batcher, writer) = claim_batcher::open(db.clone(), name.clone());
        let handler = JobHandler { db: db.clone(), mailer: mailer.clone(), hard_stop: hard_stop.clone() };
        let handler = Arc::new(handler);
        let executor =
            Executor { name, queue: queue.clone(), batcher, mailer: mailer.clone(), handler, concurrency };
        let writing = writer_stop.run_until_cancelled(writer.run(hard_stop.clone()));
        // On the heap, because the future is large.
        let working = Box::pin(async {
            tokio::join!(
                finish(executor, &stop, &hard_stop, &writer_stop),
                poller::run(&db, &queue, &mailer, &heartbeat, &stop),
                receive_from_server(job_refs, &queue, &stop),
                receive_from_redis(redis, &queue, &stop),
                scheduler::run(&db, TaskContext { retention, signer: signer.clone() }, &stop),
                key_rotation::run(&db, &keys, &stop),
                queue_metrics::run(&db, &stop),
                queue_metrics::count_sessions(&db, &stop),
                audit_flush::run(&db, &signer, &stop),
            );
        });
        tokio::join!(writing, working);
    }
}

/// Waits for the executor. Some time after the stop it releases the running jobs, and later it leaves them to their leases.
async fn finish(
    executor: Executor,
    stop: &CancellationToken,
    hard_stop: &CancellationToken,
    writer_stop: &CancellationToken,
) {
    // It holds the sending end of the batch writer, which ends with it.
    let mut executing = Box::pin(async move { executor.run(stop).await });
    select! {
        () = &mut executing => return,
        () = stop.cancelled() => {}
    }
    if timeout(DRAIN_TIMEOUT, &mut executing).await.is_ok() {
        return;
    }
    tracing::warn!("jobs did not finish before shutdown: released");
    hard_stop.cancel();
    if timeout(RELEASE_TIMEOUT, executing).await.is_err() {
        tracing::error!("jobs could not be released: they run again when their leases expire");
        writer_stop.cancel();
    }
}

async fn receive_from_server(
    job_refs: Option<mpsc::Receiver<JobRef>>,
    queue: &FairQueue,
    stop: &CancellationToken,
) {
    let Some(mut job_refs) = job_refs else { return };
    while let Some(Some(job_ref)) = stop.run_until_cancelled(job_refs.recv()).await {
        queue.push([job_ref]);
    }
}

async fn receive_from_redis(
    redis: Option<redis_wakeup::RedisWakeup>,
    queue: &FairQueue,
    stop: &CancellationToken,
) {
    if let Some(redis) = redis {
        stop.run_until_cancelled(redis.receive(queue.clone())).await;
    }
}

/// Ticks each `period`. A late tick delays those after it.
fn every(period: Duration) -> Interval {
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

//! Background work: what nobody waits for. Runs inside the server, or in a process of its own.
//!
//! A worker hears of jobs by a channel from the server around it ([`Worker::job_refs`]), by Redis ([`redis_wakeup`]) and by
//! polling the outbox (`poller`). They wait in one `fair_queue`, from which the `executor` takes them.

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

use fair_queue::FairQueue;
use insula_core::{
    base::ids::JobId,
    lifecycle::maintenance::Retention,
    runtime::{job_wakeup::JobRef, telemetry::Heartbeat},
    storage::{audit_chain::Signer, db::Db},
};
use job_handler::JobHandler;
pub use key_rotation::Keys;
pub use mailer::{Mailer, TestEmailError};
use scheduler::TaskContext;
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long what was begun may take after the stop; then it is given back.
const DRAIN: Duration = Duration::from_secs(20);
/// How long the last words may take after that.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a worker works with.
pub struct Worker {
    /// Where the jobs are.
    pub db: Db,
    /// Sends mails.
    pub post: Mailer,
    /// How the keys that sign take turns.
    pub keys: Keys,
    /// How long what is over is kept.
    pub kept: Retention,
    /// Beats while it is looked for jobs.
    pub pulse: Heartbeat,
    /// News from the server around it, where there is one.
    pub job_refs: Option<mpsc::Receiver<JobRef>>,
    /// News from other processes, where there is a Redis.
    pub line: Option<redis_wakeup::RedisWakeup>,
    /// Most jobs at a time.
    pub concurrency: usize,
}

impl Worker {
    /// Works until `stop`; what is being done then is finished, or given back after 20 seconds.
    pub async fn run(self, stop: CancellationToken) {
        let Self { db, post, keys, kept, pulse, job_refs, line, concurrency } = self;
        // Unique for each start: who comes after must not be taken for who was before.
        let name = format!("{}-{}", process::id(), JobId::new(db.now()));
        let signer = Signer::new(keys.master.clone());
        let (queue, tasks) = (FairQueue::default(), TaskTracker::new());
        let (hurry, end) = (CancellationToken::new(), CancellationToken::new());
        let (ledger, writer) = claim_batcher::open(db.clone(), name.clone());
        let hands = JobHandler {
            post: post.clone(),
            name,
            db: db.clone(),
            queue: queue.clone(),
            ledger,
            tasks: tasks.clone(),
            hurry: hurry.clone(),
        };
        let writing = end.run_until_cancelled(writer.run(hurry.clone()));
        // On the heap: whoever waits for a worker need not have room for all that it does.
        let working = Box::pin(async {
            tokio::join!(
                executor::run(&queue, Arc::new(hands), concurrency, &stop),
                poller::run(&db, &queue, &post, &pulse, &stop),
                hear_server(job_refs, &queue, &stop),
                hear_others(line, &queue, &stop),
                scheduler::run(&db, TaskContext { kept, signer: signer.clone() }, &stop),
                key_rotation::take_turns(&db, &keys, &stop),
                queue_metrics::count(&db, &stop),
                audit_flush::run(&db, &signer, &stop),
                drain(&tasks, &stop, &hurry, &end),
            );
        });
        tokio::join!(writing, working);
    }
}

/// After the stop: waits for what was begun, then hurries it, then leaves it behind.
async fn drain(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    hurry: &CancellationToken,
    end: &CancellationToken,
) {
    stop.cancelled().await;
    tasks.close();
    if timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!(jobs = tasks.len(), "jobs did not finish before shutdown: released");
        hurry.cancel();
        if timeout(LAST_WORDS, tasks.wait()).await.is_err() {
            tracing::error!(
                jobs = tasks.len(),
                "jobs could not be released: they run again when their leases expire"
            );
            end.cancel();
        }
    }
}

async fn hear_server(job_refs: Option<mpsc::Receiver<JobRef>>, queue: &FairQueue, stop: &CancellationToken) {
    let Some(mut job_refs) = job_refs else { return };
    while let Some(Some(job_ref)) = stop.run_until_cancelled(job_refs.recv()).await {
        queue.push([job_ref]);
    }
}

async fn hear_others(line: Option<redis_wakeup::RedisWakeup>, queue: &FairQueue, stop: &CancellationToken) {
    if let Some(line) = line {
        stop.run_until_cancelled(line.hear(queue.clone())).await;
    }
}

fn every(period: Duration) -> Interval {
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

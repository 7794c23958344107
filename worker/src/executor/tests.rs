use std::future::pending;

use insula_core::{
    base::{
        crypto::MasterKey,
        ids::{JobId, OrgId},
        trace_context::TraceContext,
    },
    identity::one_time_tokens::EmailTokens,
    runtime::{
        config::{Config, Sources},
        job_wakeup::JobRef,
        rate_limit::RateLimiter,
    },
    storage::outbox::{ClaimOutcome, ClaimedJob},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::*;
use crate::claim_batcher::Entry;

/// A running worker. The test is its database.
struct TestWorker {
    queue: FairQueue,
    entries: mpsc::Receiver<Entry>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), WorkerError>>,
}

impl TestWorker {
    fn start<F>(concurrency: usize, run: impl Fn(Claim) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Completion> + Send + 'static,
    {
        let config = Config::read(&Sources::only(&[])).unwrap();
        let tokens = EmailTokens::new(&MasterKey::new("k".repeat(32)), &config);
        let mailer =
            Mailer::open(&config, tokens, "http://localhost/", None, RateLimiter::new(&config, None))
                .unwrap();
        let ((batcher, entries), queue) = (ClaimBatcher::channel(), FairQueue::default());
        let (recorder, stop) = (OutcomeRecorder(batcher.clone()), CancellationToken::new());
        let backend = OutboxBackend::new(queue.clone(), batcher, mailer, concurrency);
        let running = TaskTracker::new().spawn(worker("test", backend, recorder, run, stop.clone()));
        Self { queue, entries, stop, running }
    }

    fn push(&self, jobs: u128) {
        self.queue
            .push((0..jobs).map(|job| JobRef { org: OrgId::PLATFORM, job: JobId(Uuid::from_u128(job)) }));
    }

    /// The next request to claim a job, unanswered.
    async fn claim(&mut self) -> (JobRef, oneshot::Sender<ClaimedJob>) {
        match self.entries.recv().await {
            Some(Entry::Claim(job_ref, answer)) => (job_ref, answer),
            _ => panic!("not a claim"),
        }
    }

    /// Hands out the next job that is asked for.
    async fn hand_out(&mut self) {
        let (job_ref, answer) = self.claim().await;
        assert!(answer.send(claimed(job_ref)).is_ok());
    }

    /// The next outcome, which is stored.
    async fn outcome(&mut self) -> ClaimOutcome {
        match self.entries.recv().await {
            Some(Entry::Settle(result, stored)) => {
                stored.send(()).unwrap();
                result.outcome
            }
            _ => panic!("not a result"),
        }
    }
}

fn claimed(job_ref: JobRef) -> ClaimedJob {
    let trace = TraceContext::random();
    ClaimedJob { job_ref, job: None, kind: "test".to_owned(), attempt: 1, lease_expirations: 0, trace }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt_and_the_worker_goes_on() {
    let mut worker = TestWorker::start(1, |claim| async move {
        assert!(!claim.job_ref.job.0.is_nil(), "the first job");
        (ClaimOutcome::Done, None)
    });
    worker.push(2);
    worker.hand_out().await;
    assert_eq!(worker.outcome().await, ClaimOutcome::Retry("panicked; see the log".to_owned()));
    worker.hand_out().await;
    assert_eq!(worker.outcome().await, ClaimOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_hangs_is_stopped_before_its_lease_expires() {
    let mut worker = TestWorker::start(1, |_| pending());
    worker.push(1);
    let started = tokio::time::Instant::now();
    worker.hand_out().await;
    assert_eq!(worker.outcome().await, ClaimOutcome::Retry("took longer than 45s".to_owned()));
    assert!(started.elapsed() < LEASE);
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_are_claimed_than_there_are_slots() {
    let mut worker = TestWorker::start(2, |_| async { (ClaimOutcome::Done, None) });
    worker.push(3);
    let (first, _second) = (worker.claim().await, worker.claim().await);
    let third = timeout(Duration::from_secs(5), worker.claim()).await;
    assert!(third.is_err(), "two slots are taken");
    // A job that another worker has frees its slot.
    drop(first);
    worker.claim().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_under_way_at_the_stop_is_released() {
    let mut worker = TestWorker::start(1, |_| async { (ClaimOutcome::Done, None) });
    worker.push(1);
    let (job_ref, answer) = worker.claim().await;
    worker.stop.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(answer.send(claimed(job_ref)).is_ok());
    assert_eq!(worker.outcome().await, ClaimOutcome::Released);
    worker.running.await.unwrap().unwrap();
}

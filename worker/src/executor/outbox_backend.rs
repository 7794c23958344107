//! The outbox as an apalis backend: it yields claimed jobs, their acknowledgement stores the result, and closing it releases
//! the jobs that were claimed and not begun.
//!
//! A job is claimed only when a slot is free, so that a process never holds more leases than it works on. Apalis asks for one
//! task at a time; the backend claims for all free slots at once, because the [`ClaimBatcher`] then needs one transaction.

use std::{
    convert::Infallible,
    ops::Deref,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder},
    worker::context::WorkerContext,
};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Fuse, FusedFuture},
    stream::FuturesUnordered,
};
use insula_core::{
    base::ids::JobId,
    runtime::job_wakeup::JobRef,
    storage::{
        emails::DeliveryAttempt,
        outbox::{ClaimOutcome, ClaimedJob, JobResult},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower::layer::util::Identity;

use crate::{
    claim_batcher::ClaimBatcher,
    fair_queue::FairQueue,
    mailer::{BreakerPermit, Mailer},
};

/// The backend of one apalis worker.
pub(super) struct OutboxBackend {
    queue: FairQueue,
    batcher: ClaimBatcher,
    mailer: Mailer,
    slots: PollSemaphore,
    /// A slot that waits for a job.
    free_slot: Option<OwnedSemaphorePermit>,
    /// The next job of the queue. Terminated once it is taken.
    next: Fuse<BoxFuture<'static, JobRef>>,
    claims: FuturesUnordered<BoxFuture<'static, Option<Claim>>>,
    releases: FuturesUnordered<BoxFuture<'static, ()>>,
}

/// A claimed job with everything that it occupies in this process. Cheap to clone; the last clone gives it back.
#[derive(Clone)]
pub(super) struct Claim(Arc<ClaimState>);

struct ClaimState {
    job: ClaimedJob,
    claimed_at: Instant,
    _occupied: Occupied,
}

/// A slot, a permit to send, and the place in the queue: while it is held, the job is not claimed a second time here.
struct Occupied {
    queue: FairQueue,
    job: JobId,
    _slot: OwnedSemaphorePermit,
    _permit: BreakerPermit,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.queue.forget(self.job);
    }
}

impl Deref for Claim {
    type Target = ClaimedJob;

    fn deref(&self) -> &ClaimedJob {
        &self.0.job
    }
}

impl Claim {
    /// The time since the job was claimed.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.claimed_at.elapsed()
    }

    /// The result of this attempt.
    pub(super) fn result(&self, outcome: ClaimOutcome, email: Option<DeliveryAttempt>) -> JobResult {
        JobResult { job_ref: self.job_ref, attempt: self.attempt, outcome, email, trace: self.trace }
    }
}

impl OutboxBackend {
    /// A backend that claims the jobs of `queue`, at most `concurrency` at a time.
    pub(super) fn new(queue: FairQueue, batcher: ClaimBatcher, mailer: Mailer, concurrency: usize) -> Self {
        Self {
            next: next_job(&queue),
            queue,
            batcher,
            mailer,
            slots: PollSemaphore::new(Arc::new(Semaphore::new(concurrency))),
            free_slot: None,
            claims: FuturesUnordered::new(),
            releases: FuturesUnordered::new(),
        }
    }

    /// Begins a claim for each free slot for which the queue has a job.
    fn begin_claims(&mut self, cx: &mut Context<'_>) {
        loop {
            // The slot comes first: a job that waited for one would have left the queue and lost its turn.
            if self.free_slot.is_none() {
                let Poll::Ready(slot) = self.slots.poll_acquire(cx) else { return };
                self.free_slot = slot;
            }
            if self.next.is_terminated() {
                self.next = next_job(&self.queue);
            }
            let Poll::Ready(job_ref) = self.next.poll_unpin(cx) else { return };
            // While no e-mail can be sent, jobs stay in the outbox and use no attempt. The poller brings them back.
            match (self.mailer.enter(), self.free_slot.take()) {
                (Some(permit), Some(slot)) => {
                    let queue = self.queue.clone();
                    let occupied = Occupied { queue, job: job_ref.job, _slot: slot, _permit: permit };
                    self.claims.push(claim(self.batcher.clone(), job_ref, occupied).boxed());
                }
                (_, slot) => {
                    self.queue.forget(job_ref.job);
                    self.free_slot = slot;
                }
            }
        }
    }
}

fn next_job(queue: &FairQueue) -> Fuse<BoxFuture<'static, JobRef>> {
    let queue = queue.clone();
    async move { queue.next().await }.boxed().fuse()
}

/// `None` when another worker has the job or it is done.
async fn claim(batcher: ClaimBatcher, job_ref: JobRef, occupied: Occupied) -> Option<Claim> {
    let job = batcher.claim(job_ref).await?;
    Some(Claim(Arc::new(ClaimState { job, claimed_at: Instant::now(), _occupied: occupied })))
}

/// Gives the lease back: any worker can claim the job at once, and no attempt is counted.
async fn release(batcher: ClaimBatcher, claim: Claim) {
    tracing::info!(job = %claim.job_ref.job, kind = claim.kind, "job released before it began");
    batcher.settle(claim.result(ClaimOutcome::Released, None)).await;
}

impl Backend for OutboxBackend {
    type Task = Task<Claim>;
    /// The database never stops the worker: results are stored again, and the poller finds the jobs that were not claimed.
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Claim>, Infallible>>> {
        loop {
            self.begin_claims(cx);
            match self.claims.poll_next_unpin(cx) {
                Poll::Ready(Some(Some(claim))) => {
                    // The acknowledgement sees the data of the task, not its arguments.
                    return Poll::Ready(Some(Ok(TaskBuilder::new(claim.clone()).data(claim).build())));
                }
                Poll::Ready(Some(None)) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        while let Some(claimed) = ready!(self.claims.poll_next_unpin(cx)) {
            let releases = claimed.map(|claim| release(self.batcher.clone(), claim).boxed());
            self.releases.extend(releases);
        }
        while ready!(self.releases.poll_next_unpin(cx)).is_some() {}
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for OutboxBackend {
    type Args = Claim;
    type Id = JobId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

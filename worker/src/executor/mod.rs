//! The apalis worker: where jobs come from, and which layers surround each.

mod acknowledgement;
mod outbox_backend;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use apalis::{
    layers::{catch_panic::CatchPanicLayer, tracing::TraceLayer},
    prelude::{BoxDynError, WorkerBuilder, WorkerBuilderExt, WorkerError},
};
use apalis_core::{
    task::Task,
    worker::ext::{ack::AcknowledgeLayer, parallelize::ParallelizeLayer},
};
use futures_util::{FutureExt, future::BoxFuture};
use insula_core::storage::outbox::LEASE;
use tokio_util::sync::CancellationToken;

use self::{
    acknowledgement::OutcomeRecorder,
    outbox_backend::{Claim, OutboxBackend},
};
use crate::{
    claim_batcher::ClaimBatcher,
    fair_queue::FairQueue,
    job_handler::{Completion, JobHandler},
    mailer::Mailer,
};

/// How long a job may take: less than its lease, so that no other worker begins it meanwhile.
const JOB_TIMEOUT: Duration = Duration::from_secs(45);
const _: () = assert!(JOB_TIMEOUT.as_secs() + 10 < LEASE.as_secs());

/// How long to wait before a worker that stopped by itself is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Runs jobs.
pub(crate) struct Executor {
    /// Unique among all workers.
    pub(crate) name: String,
    pub(crate) queue: FairQueue,
    pub(crate) batcher: ClaimBatcher,
    pub(crate) mailer: Mailer,
    pub(crate) handler: Arc<JobHandler>,
    /// Most jobs at a time.
    pub(crate) concurrency: usize,
}

impl Executor {
    /// Runs jobs until `stop`, then until the running jobs are done and the backend is closed.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut starts = 0_u32;
        while !stop.is_cancelled() {
            let name = format!("{}-{starts}", self.name);
            let (queue, batcher, mailer) = (self.queue.clone(), self.batcher.clone(), self.mailer.clone());
            let recorder = OutcomeRecorder(batcher.clone());
            let backend = OutboxBackend::new(queue, batcher, mailer, self.concurrency);
            let handler = Arc::clone(&self.handler);
            let run = move |claim: Claim| {
                let handler = Arc::clone(&handler);
                async move { handler.handle(&claim).await }
            };
            if let Err(error) = worker(&name, backend, recorder, run, stop.clone()).await {
                tracing::error!(%error, worker = name, "job executor stopped");
            }
            starts += 1;
            stop.run_until_cancelled(tokio::time::sleep(RESTART_DELAY)).await;
        }
    }
}

/// One run of an apalis worker, which gives each job of `backend` to `run`. The first layer is the outermost. Each job is a
/// tokio task, which runs on any core.
#[expect(clippy::disallowed_methods, reason = "the worker ends after its jobs")]
fn worker<R, F>(
    name: &str,
    backend: OutboxBackend,
    recorder: OutcomeRecorder,
    run: R,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<(), WorkerError>>
where
    R: Fn(Claim) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Completion> + Send + 'static,
{
    let worker = WorkerBuilder::new(name)
        .backend(backend)
        .layer(ParallelizeLayer::new(tokio::spawn))
        .layer(AcknowledgeLayer::new(recorder))
        .timeout(JOB_TIMEOUT)
        .layer(TraceLayer::new().make_span_with(span))
        .layer(CatchPanicLayer::new())
        .build(move |claim| run(claim).map(Ok::<_, BoxDynError>));
    worker.run_until(stop.cancelled_owned().map(Ok::<(), WorkerError>)).boxed()
}

fn span(task: &Task<Claim>) -> tracing::Span {
    let claim = &task.args;
    let (id, trace_id) = (claim.job_ref.job, claim.trace.trace_id());
    tracing::info_span!("job", %id, kind = claim.kind, attempt = claim.attempt, %trace_id)
}

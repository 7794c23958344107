//! The apalis worker: which layers surround a job.

use std::{sync::Arc, time::Duration};

use apalis::{
    layers::{catch_panic::CatchPanicLayer, tracing::TraceLayer},
    prelude::{WorkerBuilder, WorkerBuilderExt, WorkerError},
};
use apalis_core::{
    task::Task,
    worker::ext::{ack::AcknowledgeLayer, parallelize::ParallelizeLayer},
};
use futures_util::{FutureExt, future::BoxFuture};
use insula_core::storage::outbox::LEASE;
use tokio_util::sync::CancellationToken;

use crate::{
    acknowledgement::OutcomeRecorder,
    job_handler::{JobHandler, handle},
    outbox_backend::{Claim, OutboxBackend},
};

/// How long a job may take: less than its lease, so that no other worker begins it meanwhile.
pub(crate) const JOB_TIMEOUT: Duration = Duration::from_secs(45);
const _: () = assert!(JOB_TIMEOUT.as_secs() + 10 < LEASE.as_secs());

/// How long to wait before a worker that stopped by itself is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Runs the jobs of `backend` until `stop`, then until the running jobs are done and the backend is closed. `name` is unique
/// among all workers.
pub(crate) async fn run(
    name: &str,
    backend: impl Fn() -> OutboxBackend,
    recorder: OutcomeRecorder,
    handler: Arc<JobHandler>,
    stop: &CancellationToken,
) {
    let mut starts = 0_u32;
    while !stop.is_cancelled() {
        let name = format!("{name}-{starts}");
        let worker = worker(&name, backend(), recorder.clone(), Arc::clone(&handler), stop.clone());
        if let Err(error) = worker.await {
            tracing::error!(%error, worker = name, "job executor stopped");
        }
        starts += 1;
        stop.run_until_cancelled(tokio::time::sleep(RESTART_DELAY)).await;
    }
}

/// An apalis worker and its layers; the first layer is the outermost. Each job is a tokio task of its own, which runs on any
/// core.
fn worker(
    name: &str,
    backend: OutboxBackend,
    recorder: OutcomeRecorder,
    handler: Arc<JobHandler>,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    let worker = WorkerBuilder::new(name)
        .backend(backend)
        .data(handler)
        .layer(ParallelizeLayer::new(tokio::spawn))
        .layer(TraceLayer::new().make_span_with(span))
        .layer(AcknowledgeLayer::new(recorder))
        .timeout(JOB_TIMEOUT)
        .layer(CatchPanicLayer::new())
        .build(handle);
    worker.run_until(stop.cancelled_owned().map(Ok::<(), WorkerError>)).boxed()
}

fn span(task: &Task<Claim>) -> tracing::Span {
    let claim = &task.args;
    tracing::info_span!("job", id = %claim.job_ref.job, kind = claim.kind, attempt = claim.attempt)
}

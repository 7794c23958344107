//! Runs jobs: an apalis worker takes them from the queue and gives each to the job handler (docs/decisions.md).

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt, WorkerError};
use apalis_core::{
    backend::memory::{MemorySink, MemoryStorage, MemoryStorageError},
    task::Task,
};
use futures_util::{FutureExt, Sink, SinkExt, StreamExt, lock::Mutex as AsyncMutex, sink, stream};
use insula_core::runtime::job_wakeup::JobRef;
use tokio_util::sync::CancellationToken;

use crate::{fair_queue::FairQueue, job_handler::JobHandler};

/// How long to wait before a worker that stopped by itself is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// Has `hands` take jobs, at most `concurrency` at a time, until `stop`; what was taken by then runs on in their tasks.
pub(crate) async fn run(
    queue: &FairQueue,
    hands: Arc<JobHandler>,
    concurrency: usize,
    stop: &CancellationToken,
) {
    let mut start = 0_u32;
    while !stop.is_cancelled() {
        let name = format!("{}-{start}", hands.name());
        let worker = WorkerBuilder::new(name.as_str())
            .backend(memory(queue.clone()))
            .data(Arc::clone(&hands))
            .concurrency(concurrency)
            .build(take);
        // It has to be told: that nothing comes any more does not end it.
        let told = stop.clone().cancelled_owned().map(Ok::<(), WorkerError>);
        if let Err(error) = worker.run_until(told).await {
            tracing::error!(%error, worker = name, "job executor stopped");
        }
        start += 1;
        stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// In a task of its own: on whichever core is free, and to its end whatever becomes of the worker.
async fn take(job_ref: JobRef, hands: Data<Arc<JobHandler>>) -> Result<(), BoxDynError> {
    let own = Arc::clone(&hands);
    Ok(hands.tasks.spawn(async move { own.handle(job_ref).await }).await?)
}

/// Apalis' memory backend over our queue, whose turns its own has not. Nothing is put in from its other end.
fn memory(queue: FairQueue) -> MemoryStorage<JobRef> {
    let next = |queue: FairQueue| async move {
        let job_ref = queue.next().await;
        Some((Task::new(job_ref), queue))
    };
    let none: Box<dyn Sink<Task<JobRef>, Error = MemoryStorageError> + Send + Sync + Unpin> =
        Box::new(sink::drain().sink_map_err(|never| match never {}));
    let none = MemorySink::new(Arc::new(AsyncMutex::new(none)));
    MemoryStorage::new_with(none, stream::unfold(queue, next).boxed())
}

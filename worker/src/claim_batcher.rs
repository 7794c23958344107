//! Claims jobs and stores results for all jobs of a worker: everything that was requested during one transaction goes into
//! the next. A thousand jobs a second need a few dozen commits, and a single job does not wait for others.

use std::time::Duration;

use insula_core::{
    Result,
    runtime::job_wakeup::JobRef,
    storage::{
        db::Db,
        outbox::{self, ClaimedJob, JobResult},
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Most entries of one transaction.
const BATCH: usize = 128;
/// How long to wait before a failed write is repeated.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A request to the writer, with the way back.
pub(crate) enum Entry {
    Claim(JobRef, oneshot::Sender<ClaimedJob>),
    Settle(JobResult, oneshot::Sender<()>),
}

/// The sending end. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClaimBatcher(mpsc::Sender<Entry>);

/// The end that writes to the database.
pub(crate) struct BatchWriter {
    db: Db,
    holder: String,
    entries: mpsc::Receiver<Entry>,
}

/// Both ends. `holder`: the name of this worker, unique among all workers and starts.
pub(crate) fn open(db: Db, holder: String) -> (ClaimBatcher, BatchWriter) {
    let (sender, entries) = mpsc::channel(BATCH);
    (ClaimBatcher(sender), BatchWriter { db, holder, entries })
}

impl ClaimBatcher {
    /// A batcher whose requests a test answers.
    #[cfg(test)]
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Entry>) {
        let (sender, entries) = mpsc::channel(BATCH);
        (Self(sender), entries)
    }

    /// Claims a job; `None` when another worker has it, it is done, or the database did not answer.
    pub(crate) async fn claim(&self, job_ref: JobRef) -> Option<ClaimedJob> {
        let (answer, claimed) = oneshot::channel();
        self.0.send(Entry::Claim(job_ref, answer)).await.ok()?;
        claimed.await.ok()
    }

    /// Stores the result of a job; returns when it is committed.
    pub(crate) async fn settle(&self, settled: JobResult) {
        let (answer, written) = oneshot::channel();
        if self.0.send(Entry::Settle(settled, answer)).await.is_ok() {
            // An error: given up at shutdown, and logged.
            drop(written.await);
        }
    }
}

impl BatchWriter {
    /// Writes until every [`ClaimBatcher`] is dropped. Results are retried until they are committed, or until `hard_stop`:
    /// then their leases expire and the jobs run again.
    pub(crate) async fn run(mut self, hard_stop: CancellationToken) {
        let (mut claims, mut settled, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        while self.entries.recv_many(&mut entries, BATCH).await > 0 {
            for entry in entries.drain(..) {
                match entry {
                    Entry::Claim(job_ref, answer) => claims.push((job_ref, answer)),
                    Entry::Settle(done, answer) => settled.push((done, answer)),
                }
            }
            if let Err(error) = self.write(&mut settled, &mut claims).await {
                tracing::warn!(%error, jobs = settled.len(), "could not store job results");
                // The poller finds the jobs that were not claimed.
                claims.clear();
                self.insist(&mut settled, &hard_stop).await;
            }
        }
    }

    async fn write(
        &self,
        settled: &mut Vec<(JobResult, oneshot::Sender<()>)>,
        claims: &mut Vec<(JobRef, oneshot::Sender<ClaimedJob>)>,
    ) -> Result<()> {
        let done: Vec<_> = settled.iter().map(|(settled, _)| settled.clone()).collect();
        let wanted: Vec<_> = claims.iter().map(|(job_ref, _)| *job_ref).collect();
        let claimed = outbox::complete_and_claim(&self.db, &self.holder, &done, &wanted).await?;
        for (_, written) in settled.drain(..) {
            // The job was cancelled in the meantime.
            written.send(()).unwrap_or_default();
        }
        for claimed in claimed {
            if let Some(at) = claims.iter().position(|(job_ref, _)| *job_ref == claimed.job_ref) {
                drop(claims.swap_remove(at).1.send(claimed));
            }
        }
        // The others are not available.
        claims.clear();
        Ok(())
    }

    /// Writes them one by one, so that none prevents the others.
    async fn insist(
        &self,
        settled: &mut Vec<(JobResult, oneshot::Sender<()>)>,
        hard_stop: &CancellationToken,
    ) {
        while !settled.is_empty() {
            let mut left = Vec::new();
            for one in settled.drain(..) {
                let mut alone = vec![one];
                if let Err(error) = self.write(&mut alone, &mut Vec::new()).await {
                    tracing::debug!(%error, "retrying: could not store job results");
                    left.append(&mut alone);
                }
            }
            *settled = left;
            if !settled.is_empty() && hard_stop.run_until_cancelled(sleep(RETRY_DELAY)).await.is_none() {
                tracing::error!(jobs = settled.len(), "gave up storing job results: the jobs will run again");
                settled.clear();
            }
        }
    }
}

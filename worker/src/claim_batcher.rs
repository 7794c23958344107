//! The one who writes in the outbox for all hands of a worker: what they want and what they have done meanwhile goes
//! into one transaction. So a thousand jobs a second cost a few dozen commits, and a single one waits for nobody.

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
const TOGETHER: usize = 128;
/// How long to wait before what could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(200);

enum Entry {
    Claim(JobRef, oneshot::Sender<ClaimedJob>),
    Settle(JobResult, oneshot::Sender<()>),
}

/// The end that hands hold. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClaimBatcher(mpsc::Sender<Entry>);

/// The end that writes.
pub(crate) struct BatchWriter {
    db: Db,
    holder: String,
    entries: mpsc::Receiver<Entry>,
}

/// Both ends. `holder`: the name of this worker, which no other has or had.
pub(crate) fn open(db: Db, holder: String) -> (ClaimBatcher, BatchWriter) {
    let (sender, entries) = mpsc::channel(TOGETHER);
    (ClaimBatcher(sender), BatchWriter { db, holder, entries })
}

impl ClaimBatcher {
    /// Takes a job; `None` when it is not to be had.
    pub(crate) async fn claim(&self, job_ref: JobRef) -> Option<ClaimedJob> {
        let (answer, claimed) = oneshot::channel();
        self.0.send(Entry::Claim(job_ref, answer)).await.ok()?;
        claimed.await.ok()
    }

    /// Writes down what became of a job; returns when it is written.
    pub(crate) async fn settle(&self, settled: JobResult) {
        let (answer, written) = oneshot::channel();
        if self.0.send(Entry::Settle(settled, answer)).await.is_ok() {
            // An error: given up at the end, and said so.
            drop(written.await);
        }
    }
}

impl BatchWriter {
    /// Writes until every [`Ledger`] is gone. What became of a job is tried until it is written, or until `hurry`, when
    /// it is given up with the lease: somebody else does the job again.
    pub(crate) async fn run(mut self, hurry: CancellationToken) {
        let (mut claims, mut settled, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        while self.entries.recv_many(&mut entries, TOGETHER).await > 0 {
            for entry in entries.drain(..) {
                match entry {
                    Entry::Claim(job_ref, answer) => claims.push((job_ref, answer)),
                    Entry::Settle(done, answer) => settled.push((done, answer)),
                }
            }
            if let Err(error) = self.write(&mut settled, &mut claims).await {
                tracing::warn!(%error, jobs = settled.len(), "could not store job results");
                // Whoever wanted one hears of it again.
                claims.clear();
                self.insist(&mut settled, &hurry).await;
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
            // Nobody waits any more: then nobody needs it.
            written.send(()).unwrap_or_default();
        }
        for claimed in claimed {
            if let Some(at) = claims.iter().position(|(job_ref, _)| *job_ref == claimed.job_ref) {
                drop(claims.swap_remove(at).1.send(claimed));
            }
        }
        // The others are not to be had.
        claims.clear();
        Ok(())
    }

    /// One by one, so that none keeps the others from being written.
    async fn insist(&self, settled: &mut Vec<(JobResult, oneshot::Sender<()>)>, hurry: &CancellationToken) {
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
            if !settled.is_empty() && hurry.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                tracing::error!(jobs = settled.len(), "gave up storing job results: the jobs will run again");
                settled.clear();
            }
        }
    }
}

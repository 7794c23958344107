//! What a worker's hands do with a job: take it, do it, say what became of it.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use insula_core::{
    runtime::{
        job_wakeup::Ring,
        telemetry::metrics::{self, JobOutcome},
    },
    storage::{
        db::Db,
        emails::{Attempt, Status},
        outbox::{Claimed, Job, LEASE, Outcome, Settled},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    claim_batcher::Ledger,
    fair_queue::Queue,
    mailer::{Delivery, Post},
};

/// How long a job may take: less than its lease, so that nobody else begins it meanwhile.
const PATIENCE: Duration = Duration::from_secs(45);
const _: () = assert!(PATIENCE.as_secs() + 10 < LEASE.as_secs());

/// What every hand needs.
pub(crate) struct Hands {
    pub(crate) name: String,
    pub(crate) db: Db,
    pub(crate) queue: Queue,
    pub(crate) ledger: Ledger,
    pub(crate) post: Post,
    /// What is being done.
    pub(crate) tasks: TaskTracker,
    /// When even what was begun is given back.
    pub(crate) hurry: CancellationToken,
}

impl Hands {
    /// The name of this worker, which no other has or had.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Does the job that `ring` tells of, if it is still to be had.
    pub(crate) async fn handle(&self, ring: Ring) {
        // Every job is a mail. While none can be handed over they stay where they are, and cost no attempt.
        if let Some(_pass) = self.post.enter()
            && let Some(claimed) = self.ledger.claim(ring).await
        {
            tracing::debug!(job = %ring.job, kind = claimed.kind, attempt = claimed.attempt, "begun");
            let started = Instant::now();
            let (outcome, email) = self.guarded(&claimed).await;
            tell(&claimed, &outcome);
            count(&claimed, &outcome, email.as_ref(), started.elapsed());
            self.ledger.settle(Settled { ring, attempt: claimed.attempt, outcome, email }).await;
        }
        self.queue.forget(ring.job);
    }

    /// A job that hangs or panics costs an attempt, and nothing else.
    async fn guarded(&self, claimed: &Claimed) -> (Outcome, Option<Attempt>) {
        let Some(job) = &claimed.job else {
            return (Outcome::Dead("the payload of the job cannot be read".to_owned()), None);
        };
        if claimed.is_harmful() {
            return (
                Outcome::Dead(format!("{} workers stopped while they ran this job", claimed.lapses)),
                None,
            );
        }
        // On the heap: a delivery is large, and every hand would carry room for one.
        let work = Box::pin(AssertUnwindSafe(self.work(claimed, job)).catch_unwind());
        let work = tokio::time::timeout(PATIENCE, work);
        match self.hurry.run_until_cancelled(work).await {
            None => (Outcome::Released, None),
            Some(Err(_)) => (Outcome::Retry(format!("took longer than {PATIENCE:?}")), None),
            Some(Ok(Err(_))) => (Outcome::Retry("panicked; see the log".to_owned()), None),
            Some(Ok(Ok(done))) => done,
        }
    }

    /// One arm for each kind of job: one without does not compile.
    async fn work(&self, claimed: &Claimed, job: &Job) -> (Outcome, Option<Attempt>) {
        match job {
            Job::SendWelcome { .. }
            | Job::SendNewDevice { .. }
            | Job::SendRefreshReuse { .. }
            | Job::SendVerification { .. }
            | Job::SendAlreadyRegistered { .. }
            | Job::SendPasswordReset { .. }
            | Job::SendPasswordChanged { .. }
            | Job::SendAccountDeleted { .. }
            | Job::SendEmailChange { .. }
            | Job::SendEmailChangeNotice { .. }
            | Job::SendInvitation { .. }
            | Job::SendOwnershipOffered { .. } => {
                match self.post.deliver(&self.db, claimed.ring, job).await {
                    Delivery::Tried(attempt) => (outcome(&attempt), Some(attempt)),
                    Delivery::PutOff { wait, why } => (Outcome::PutOff(wait, why), None),
                    Delivery::Outage { wait, attempt } => {
                        (Outcome::PutOff(wait, attempt.error.clone().unwrap_or_default()), Some(attempt))
                    }
                }
            }
        }
    }
}

fn tell(claimed: &Claimed, outcome: &Outcome) {
    let (job, kind, attempt) = (claimed.ring.job, &claimed.kind, claimed.attempt);
    match outcome {
        Outcome::Done => tracing::debug!(%job, kind, attempt, "done"),
        Outcome::Released => tracing::info!(%job, kind, attempt, "job released"),
        Outcome::PutOff(wait, why) => tracing::info!(%job, kind, ?wait, why, "job deferred"),
        Outcome::Retry(error) => tracing::warn!(%job, kind, attempt, error, "temporary failure"),
        Outcome::Dead(error) => tracing::error!(%job, kind, attempt, error, "job failed permanently"),
    }
}

fn count(claimed: &Claimed, outcome: &Outcome, email: Option<&Attempt>, took: Duration) {
    let (queue, kind) = match &claimed.job {
        Some(job) => (job.queue().as_str(), job.kind()),
        None => ("unknown", "unreadable"),
    };
    if let Some(email) = email {
        metrics::email(email.template, email.status.as_str());
    }
    // A few fixed words: the error itself stands in the log and with the job.
    let reason = email.map_or("fault", |email| email.status.as_str());
    let outcome = match outcome {
        Outcome::Done => JobOutcome::Done,
        Outcome::Retry(_) => JobOutcome::Retry(reason),
        Outcome::Dead(_) => JobOutcome::Dead(reason),
        Outcome::Released | Outcome::PutOff(..) => return,
    };
    metrics::job_finished(queue, kind, outcome, took.as_secs_f64());
    if claimed.lapses > 0 {
        metrics::jobs_lapsed(queue, 1);
    }
}

fn outcome(attempt: &Attempt) -> Outcome {
    let error = || attempt.error.clone().unwrap_or_default();
    match attempt.status {
        Status::Sent | Status::Suppressed => Outcome::Done,
        Status::Deferred => Outcome::Retry(error()),
        Status::Bounced | Status::Dead => Outcome::Dead(error()),
    }
}

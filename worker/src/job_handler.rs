//! What a worker's hands do with a job: take it, do it, say what became of it.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use insula_core::{
    runtime::{
        job_wakeup::JobRef,
        telemetry::metrics::{self, JobOutcome},
    },
    storage::{
        db::Db,
        emails::{DeliveryAttempt, Status},
        outbox::{ClaimOutcome, ClaimedJob, Job, JobResult, LEASE},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    claim_batcher::ClaimBatcher,
    fair_queue::FairQueue,
    mailer::{Delivery, Mailer},
};

/// How long a job may take: less than its lease, so that nobody else begins it meanwhile.
const PATIENCE: Duration = Duration::from_secs(45);
const _: () = assert!(PATIENCE.as_secs() + 10 < LEASE.as_secs());

/// What every hand needs.
pub(crate) struct JobHandler {
    pub(crate) name: String,
    pub(crate) db: Db,
    pub(crate) queue: FairQueue,
    pub(crate) ledger: ClaimBatcher,
    pub(crate) post: Mailer,
    /// What is being done.
    pub(crate) tasks: TaskTracker,
    /// When even what was begun is given back.
    pub(crate) hurry: CancellationToken,
}

impl JobHandler {
    /// The name of this worker, which no other has or had.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Does the job that `job_ref` tells of, if it is still to be had.
    pub(crate) async fn handle(&self, job_ref: JobRef) {
        // Every job is a mail. While none can be handed over they stay where they are, and cost no attempt.
        if let Some(_pass) = self.post.enter()
            && let Some(claimed) = self.ledger.claim(job_ref).await
        {
            tracing::debug!(job = %job_ref.job, kind = claimed.kind, attempt = claimed.attempt, "begun");
            let started = Instant::now();
            let (outcome, email) = self.guarded(&claimed).await;
            tell(&claimed, &outcome);
            count(&claimed, &outcome, email.as_ref(), started.elapsed());
            self.ledger.settle(JobResult { job_ref, attempt: claimed.attempt, outcome, email }).await;
        }
        self.queue.forget(job_ref.job);
    }

    /// A job that hangs or panics costs an attempt, and nothing else.
    async fn guarded(&self, claimed: &ClaimedJob) -> (ClaimOutcome, Option<DeliveryAttempt>) {
        let Some(job) = &claimed.job else {
            return (ClaimOutcome::Dead("the payload of the job cannot be read".to_owned()), None);
        };
        if claimed.is_harmful() {
            return (
                ClaimOutcome::Dead(format!(
                    "{} workers stopped while they ran this job",
                    claimed.lease_expirations
                )),
                None,
            );
        }
        // On the heap: a delivery is large, and every hand would carry room for one.
        let work = Box::pin(AssertUnwindSafe(self.work(claimed, job)).catch_unwind());
        let work = tokio::time::timeout(PATIENCE, work);
        match self.hurry.run_until_cancelled(work).await {
            None => (ClaimOutcome::Released, None),
            Some(Err(_)) => (ClaimOutcome::Retry(format!("took longer than {PATIENCE:?}")), None),
            Some(Ok(Err(_))) => (ClaimOutcome::Retry("panicked; see the log".to_owned()), None),
            Some(Ok(Ok(done))) => done,
        }
    }

    /// One arm for each kind of job: one without does not compile.
    async fn work(&self, claimed: &ClaimedJob, job: &Job) -> (ClaimOutcome, Option<DeliveryAttempt>) {
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
                match self.post.deliver(&self.db, claimed.job_ref, job).await {
                    Delivery::Tried(attempt) => (outcome(&attempt), Some(attempt)),
                    Delivery::PutOff { wait, why } => (ClaimOutcome::PutOff(wait, why), None),
                    Delivery::Outage { wait, attempt } => {
                        (ClaimOutcome::PutOff(wait, attempt.error.clone().unwrap_or_default()), Some(attempt))
                    }
                }
            }
        }
    }
}

fn tell(claimed: &ClaimedJob, outcome: &ClaimOutcome) {
    let (job, kind, attempt) = (claimed.job_ref.job, &claimed.kind, claimed.attempt);
    match outcome {
        ClaimOutcome::Done => tracing::debug!(%job, kind, attempt, "done"),
        ClaimOutcome::Released => tracing::info!(%job, kind, attempt, "job released"),
        ClaimOutcome::PutOff(wait, why) => tracing::info!(%job, kind, ?wait, why, "job deferred"),
        ClaimOutcome::Retry(error) => tracing::warn!(%job, kind, attempt, error, "temporary failure"),
        ClaimOutcome::Dead(error) => tracing::error!(%job, kind, attempt, error, "job failed permanently"),
    }
}

fn count(claimed: &ClaimedJob, outcome: &ClaimOutcome, email: Option<&DeliveryAttempt>, took: Duration) {
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
        ClaimOutcome::Done => JobOutcome::Done,
        ClaimOutcome::Retry(_) => JobOutcome::Retry(reason),
        ClaimOutcome::Dead(_) => JobOutcome::Dead(reason),
        ClaimOutcome::Released | ClaimOutcome::PutOff(..) => return,
    };
    metrics::job_finished(queue, kind, outcome, took.as_secs_f64());
    if claimed.lease_expirations > 0 {
        metrics::jobs_lease_expired(queue, 1);
    }
}

fn outcome(attempt: &DeliveryAttempt) -> ClaimOutcome {
    let error = || attempt.error.clone().unwrap_or_default();
    match attempt.status {
        Status::Sent | Status::Suppressed => ClaimOutcome::Done,
        Status::Deferred => ClaimOutcome::Retry(error()),
        Status::Bounced | Status::Dead => ClaimOutcome::Dead(error()),
    }
}

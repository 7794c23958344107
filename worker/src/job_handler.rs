//! Runs one job.

use insula_core::{
    base::trace_context::TraceContext,
    runtime::telemetry::traces::{self, JobLabels},
    storage::{
        db::Db,
        emails::{DeliveryAttempt, DeliveryStatus},
        outbox::{ClaimOutcome, ClaimedJob, Job},
    },
};
use tokio_util::sync::CancellationToken;

use crate::mailer::{Delivery, Mailer};

/// The result of a job: its outcome, and the e-mail that it tried to send.
pub(crate) type Completion = (ClaimOutcome, Option<DeliveryAttempt>);

/// What a job needs.
pub(crate) struct JobHandler {
    pub(crate) db: Db,
    pub(crate) mailer: Mailer,
    /// Releases even the jobs that have begun.
    pub(crate) hard_stop: CancellationToken,
}

impl JobHandler {
    /// Runs a claimed job, until [`JobHandler::hard_stop`] at the latest.
    pub(crate) async fn handle(&self, claimed: &ClaimedJob) -> Completion {
        let Some(job) = &claimed.job else {
            return (ClaimOutcome::Dead("the payload of the job cannot be read".to_owned()), None);
        };
        if claimed.must_not_retry() {
            let error = format!("{} workers stopped while they ran this job", claimed.lease_expirations);
            return (ClaimOutcome::Dead(error), None);
        }
        let labels = JobLabels { id: claimed.job_ref.job, queue: job.queue().as_str(), kind: job.kind() };
        let (span, trace) = traces::process_job(labels, claimed.job_ref.org, claimed.attempt, claimed.trace);
        let running = self.hard_stop.run_until_cancelled(self.run(claimed, job, &trace));
        let completion = span.around(running).await.unwrap_or((ClaimOutcome::Released, None));
        match &completion.0 {
            ClaimOutcome::Retry(_) => span.fail("retry"),
            ClaimOutcome::Dead(_) => span.fail("dead"),
            ClaimOutcome::Done | ClaimOutcome::Released | ClaimOutcome::Deferred(..) => {}
        }
        completion
    }

    /// One arm for each kind of job: a kind without one does not compile.
    async fn run(&self, claimed: &ClaimedJob, job: &Job, trace: &TraceContext) -> Completion {
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
                match self.mailer.deliver(&self.db, claimed.job_ref, job, trace).await {
                    Delivery::Tried(attempt) => (outcome(&attempt), Some(attempt)),
                    Delivery::PutOff { wait, why } => (ClaimOutcome::Deferred(wait, why), None),
                    Delivery::Outage { wait, attempt } => (
                        ClaimOutcome::Deferred(wait, attempt.error.clone().unwrap_or_default()),
                        Some(attempt),
                    ),
                }
            }
        }
    }
}

fn outcome(attempt: &DeliveryAttempt) -> ClaimOutcome {
    let error = || attempt.error.clone().unwrap_or_default();
    match attempt.status {
        DeliveryStatus::Sent | DeliveryStatus::Suppressed => ClaimOutcome::Done,
        DeliveryStatus::Deferred => ClaimOutcome::Retry(error()),
        DeliveryStatus::Bounced | DeliveryStatus::Dead => ClaimOutcome::Dead(error()),
    }
}

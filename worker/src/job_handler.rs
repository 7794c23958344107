//! Runs one job.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use insula_core::storage::{
    db::Db,
    emails::{DeliveryAttempt, DeliveryStatus},
    outbox::{ClaimOutcome, ClaimedJob, Job},
};
use tokio_util::sync::CancellationToken;

use crate::{
    acknowledgement::Completion,
    mailer::{Delivery, Mailer},
    outbox_backend::Claim,
};

/// What a job needs.
pub(crate) struct JobHandler {
    pub(crate) db: Db,
    pub(crate) mailer: Mailer,
    /// Releases even the jobs that have begun.
    pub(crate) hard_stop: CancellationToken,
}

/// The service of the apalis worker.
///
/// # Errors
/// None of its own: layers around it report a timeout or a panic.
pub(crate) async fn handle(claim: Claim, handler: Data<Arc<JobHandler>>) -> Result<Completion, BoxDynError> {
    let Some(job) = &claim.job else {
        return Ok((ClaimOutcome::Dead("the payload of the job cannot be read".to_owned()), None));
    };
    if claim.is_harmful() {
        let error = format!("{} workers stopped while they ran this job", claim.lease_expirations);
        return Ok((ClaimOutcome::Dead(error), None));
    }
    let done = handler.hard_stop.run_until_cancelled(handler.run(&claim, job)).await;
    Ok(done.unwrap_or((ClaimOutcome::Released, None)))
}

impl JobHandler {
    /// One arm for each kind of job: a kind without one does not compile.
    async fn run(&self, claimed: &ClaimedJob, job: &Job) -> Completion {
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
                match self.mailer.deliver(&self.db, claimed.job_ref, job).await {
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

//! Stores what became of a job: an apalis acknowledgement.

use std::{convert::Infallible, time::Duration};

use apalis::prelude::BoxDynError;
use apalis_core::{task::ExecutionContext, worker::ext::ack::Acknowledge};
use futures_util::{FutureExt, future::BoxFuture};
use insula_core::{
    runtime::telemetry::metrics::{self, JobOutcome},
    storage::{
        emails::DeliveryAttempt,
        outbox::{ClaimOutcome, ClaimedJob},
    },
};
use tower::timeout::error::Elapsed;

use super::{JOB_TIMEOUT, outbox_backend::Claim};
use crate::{claim_batcher::ClaimBatcher, job_handler::Completion};

/// Logs, counts and stores the outcome of each job.
#[derive(Clone)]
pub(super) struct OutcomeRecorder(pub(super) ClaimBatcher);

impl Acknowledge<Completion> for OutcomeRecorder {
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    fn ack(&mut self, result: &Result<Completion, BoxDynError>, context: &ExecutionContext) -> Self::Future {
        let claim = context.data().get::<Claim>().cloned();
        let ((outcome, email), batcher) = (completion(result), self.0.clone());
        async move {
            let Some(claim) = claim else {
                tracing::error!("a job without its claim: it runs again when its lease expires");
                return Ok(());
            };
            log(&claim, &outcome);
            count(&claim, &outcome, email.as_ref(), claim.elapsed());
            batcher.settle(claim.result(outcome, email)).await;
            Ok(())
        }
        .boxed()
    }
}

/// A job that hangs or panics uses one attempt.
fn completion(result: &Result<Completion, BoxDynError>) -> Completion {
    match result {
        Ok(completion) => completion.clone(),
        Err(error) if error.is::<Elapsed>() => {
            (ClaimOutcome::Retry(format!("took longer than {JOB_TIMEOUT:?}")), None)
        }
        // The message of a panic may hold anything, and superusers see the error of a job.
        Err(_) => (ClaimOutcome::Retry("panicked; see the log".to_owned()), None),
    }
}

fn log(claimed: &ClaimedJob, outcome: &ClaimOutcome) {
    let (job, kind, attempt) = (claimed.job_ref.job, &claimed.kind, claimed.attempt);
    match outcome {
        ClaimOutcome::Done => tracing::debug!(%job, kind, attempt, "job done"),
        ClaimOutcome::Released => tracing::info!(%job, kind, attempt, "job released"),
        ClaimOutcome::Deferred(wait, why) => tracing::info!(%job, kind, ?wait, why, "job deferred"),
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
    // One of a few words: the error itself is in the log and in the job.
    let reason = email.map_or("fault", |email| email.status.as_str());
    let outcome = match outcome {
        ClaimOutcome::Done => JobOutcome::Done,
        ClaimOutcome::Retry(_) => JobOutcome::Retry(reason),
        ClaimOutcome::Dead(_) => JobOutcome::Dead(reason),
        ClaimOutcome::Released | ClaimOutcome::Deferred(..) => return,
    };
    metrics::job_finished(queue, kind, outcome, took.as_secs_f64());
    if claimed.lease_expirations > 0 {
        metrics::jobs_lease_expired(queue, 1);
    }
}

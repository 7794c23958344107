//! Sends e-mails again.

use serde_json::json;

use super::{
    OutboxJob, OutboxState,
    admin::{lock, retry_now, scope_of},
};
use crate::{
    Error, Result,
    base::{error::ErrorCode, ids::JobId},
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        emails,
    },
};

/// Sends an e-mail again, with a new job like the one that sent it. Its content is looked up again. If the job is
/// pending, it is retried now instead, because the e-mail would otherwise arrive twice. Returns the job.
///
/// # Errors
/// `NotFound` if there is no e-mail with this id; `EMAIL_NOT_KEPT` if its job was purged.
pub async fn resend(tx: &GlobalTx, email: JobId) -> Result<OutboxJob> {
    let scope = scope_of::<emails::Entity>(tx, email).await?;
    let job = lock(&scope, email).await.map_err(|error| match error {
        Error::NotFound(_) => ErrorCode::EmailNotKept.refuse(),
        error => error,
    })?;
    if job.state == OutboxState::Pending {
        return retry_now(&scope, job).await;
    }
    let new_job = scope.add(job.queue, job.kind, job.payload).await?;
    let details = EventDetails::created(json!({ "job_id": new_job.id, "kind": new_job.kind }));
    scope.record(Action::EmailResent, email, details).await?;
    Ok(new_job)
}

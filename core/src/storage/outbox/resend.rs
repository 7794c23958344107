//! Mails, asked for once more.

use serde_json::json;

use super::{
    Envelope, State,
    admin::{lock, retry_now, scope_of},
};
use crate::{
    Error, Result,
    base::{error::ErrorCode, ids::JobId},
    storage::{
        audit::{Action, Details},
        db::GlobalTx,
        emails,
    },
};

/// Sends a mail again, by a job like the one that sent it; what it says is looked up anew. One that is still being
/// tried is tried now instead, or it would arrive twice. Gives the job.
///
/// # Errors
/// `NotFound` when no mail has this id; `EMAIL_NOT_KEPT` when its job is kept no longer.
pub async fn resend(tx: &GlobalTx, email: JobId) -> Result<Envelope> {
    let scope = scope_of::<emails::Entity>(tx, email).await?;
    let job = lock(&scope, email).await.map_err(|error| match error {
        Error::NotFound(_) => ErrorCode::EmailNotKept.refuse(),
        error => error,
    })?;
    if job.state == State::Pending {
        return retry_now(&scope, job).await;
    }
    let again = scope.add(job.queue, job.kind, job.payload).await?;
    let details = Details::created(json!({ "job_id": again.id, "kind": again.kind }));
    scope.record(Action::EmailResent, email, details).await?;
    Ok(again)
}

//! `/admin/users/bulk`: apply one action to several users, each handled separately.

use std::sync::Arc;

use insula_core::{
    Error,
    base::{error::ErrorKind, ids::UserId},
    lifecycle::accounts,
};
use poem::{error::ResponseError, http::StatusCode};
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::super::Tag;
use crate::{
    auth::extractors::SuperuserOnly,
    body::StrictJson,
    http::MultiStatus,
    problem::{Problem, Result},
    state::AppState,
};

pub struct UsersBulkApi(pub Arc<AppState>);

crate::texts! {
    /// Stable error code, for programs.
    ProblemCode { length: 1..=50, pattern: "^[A-Z][A-Z_]*$", example: "LAST_OWNER" }
    /// Explanation for people: what happened and what to do.
    ProblemMessage { length: 1..=5000, example: "An organization needs an active owner. Make another member an owner first." }
}

/// What to do with a user: `activate` (allow logins again), `deactivate` (revoke all sessions and allow no
/// login), `delete` (delete the account) or `restore` (bring back a deleted account).
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum UserAction {
    /// Allow the user to log in again.
    Activate,
    /// Revoke all sessions and allow no login.
    Deactivate,
    /// Delete the account; it can be restored for 30 days.
    Delete,
    /// Bring back the deleted account.
    Restore,
}

/// An action to apply to several users.
#[derive(Object)]
struct UserBulk {
    /// What to do with each user.
    action: UserAction,
    /// Ids of the users, each once, 1 to 100.
    #[oai(validator(min_items = 1, max_items = 100, unique_items))]
    ids: Vec<Uuid>,
}

/// The result for one user.
#[derive(Object, Serialize)]
struct UserOutcome {
    /// Unique id of the user.
    id: Uuid,
    /// HTTP status of this user: the one that a request for this user alone would have had.
    status: u16,
    /// Error code. `null`: the action succeeded.
    #[oai(nullable)]
    error: Option<ProblemCode>,
    /// Explanation of the error, for people. `null`: the action succeeded.
    #[oai(nullable)]
    message: Option<ProblemMessage>,
}

/// The results of a bulk action.
#[derive(Object, Serialize)]
struct UserOutcomes {
    /// One result for each user, in the order of `ids`.
    data: Vec<UserOutcome>,
}

#[OpenApi(tag = "Tag::Platform")]
impl UsersBulkApi {
    /// Update several users
    ///
    /// Applies one action to up to 100 users, one after the other. Each user is handled separately, and one
    /// failure does not stop the others. The request is safe to repeat and takes no `Idempotency-Key`:
    /// repeated actions change nothing, and users already deleted or restored get status 404.
    #[oai(path = "/admin/users/bulk", method = "post", operation_id = "changeUsers")]
    async fn act(&self, me: SuperuserOnly, asked: StrictJson<UserBulk>) -> Result<MultiStatus<UserOutcomes>> {
        let UserBulk { action, ids } = asked.value;
        let mut data = Vec::with_capacity(ids.len());
        for id in ids {
            let (status, problem) = match self.one(&me, action, UserId(id)).await {
                Ok(status) => (status, None),
                Err(error) => {
                    let request_id = me.0.caller.inquiry.request_id.as_deref();
                    if error.code().kind() == ErrorKind::Internal {
                        tracing::error!(request_id, %id, ?error, "one item of a bulk request failed");
                    }
                    let problem = Problem(error);
                    (problem.status(), Some(problem))
                }
            };
            let error = problem.as_ref().map(|problem| ProblemCode(problem.0.code().as_str().to_owned()));
            let message = problem.map(|problem| ProblemMessage(problem.sentence()));
            data.push(UserOutcome { id, status: status.as_u16(), error, message });
        }
        Ok(MultiStatus(UserOutcomes { data }))
    }
}

impl UsersBulkApi {
    /// Handles one user in a separate transaction. Checks the caller again first, because a previous item may
    /// have changed the caller.
    async fn one(&self, me: &SuperuserOnly, action: UserAction, user: UserId) -> Result<StatusCode, Error> {
        me.verify_superuser(&self.0).await?;
        let tx = self.0.db.begin_global(me.origin()).await?;
        let status = match action {
            UserAction::Activate => accounts::activate(&tx, user).await.map(|_| StatusCode::OK),
            UserAction::Deactivate => accounts::deactivate(&tx, user).await.map(|_| StatusCode::OK),
            UserAction::Restore => accounts::restore(&tx, user).await.map(|_| StatusCode::OK),
            UserAction::Delete => accounts::remove(&tx, user, accounts::ADMIN_DELETE_GRACE)
                .await
                .map(|()| StatusCode::NO_CONTENT),
        }?;
        tx.commit().await?;
        Ok(status)
    }
}

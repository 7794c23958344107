//! `/admin/users/bulk`: the same thing done to several accounts, each by itself.

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
    state::State,
};

pub struct UsersBulkApi(pub Arc<State>);

crate::texts! {
    /// Names a kind of problem; stable, for programs.
    ProblemCode { length: 1..=50, pattern: "^[A-Z][A-Z_]*$", example: "LAST_OWNER" }
    /// Explanation for people: what happened, and what to do.
    ProblemMessage { length: 1..=5000, example: "An organization needs an active owner. Make another member an owner first." }
}

/// What is done to an account.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum UserAction {
    /// Let him log in again.
    Activate,
    /// Shut him out.
    Deactivate,
    /// Delete the account.
    Delete,
    /// Restore the deleted account.
    Restore,
}

/// The same thing, to be done to several accounts.
#[derive(Object)]
struct UserBulk {
    /// What is to be done.
    action: UserAction,
    /// To which accounts: each once.
    #[oai(validator(min_items = 1, max_items = 100, unique_items))]
    ids: Vec<Uuid>,
}

/// What came of one account.
#[derive(Object, Serialize)]
struct UserOutcome {
    /// The account.
    id: Uuid,
    /// The status that the same request for this account alone would have had.
    status: u16,
    /// Why it was refused; `null`: it was done.
    #[oai(nullable)]
    error: Option<ProblemCode>,
    /// The same, for people.
    #[oai(nullable)]
    message: Option<ProblemMessage>,
}

/// What came of each account.
#[derive(Object, Serialize)]
struct UserOutcomes {
    /// In the order of `ids`.
    data: Vec<UserOutcome>,
}

#[OpenApi(tag = "Tag::Platform")]
impl UsersBulkApi {
    /// Do the same to several accounts
    ///
    /// At most 100, one after the other, each by itself as by a request of its own: what is refused of one is done of the
    /// others. Safe to repeat, so it takes no `Idempotency-Key`: what is done already changes nothing, and what was deleted,
    /// or restored, before is answered 404.
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
    /// In a transaction of its own, if he who asks still may: he may have been among those before.
    async fn one(&self, me: &SuperuserOnly, action: UserAction, user: UserId) -> Result<StatusCode, Error> {
        me.ask_again(&self.0).await?;
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

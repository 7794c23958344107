//! Purge deleted accounts after their grace period.

use sea_orm::{ColumnTrait, Condition};
use serde_json::json;

use super::deletion::personal_organizations;
use crate::{
    Error, Result,
    base::{
        error::BatchResult,
        ids::UserId,
        permissions::{AuditOrigin, Platform},
    },
    identity::{credentials, one_time_tokens, sessions, users},
    storage::{
        audit::{self, Action, EventDetails},
        db::{Db, OrgTx, TenantTable},
        emails, idempotency, outbox,
    },
    tenancy::{invitations, members, organizations, roles, transfers},
    work::{offboarding, period_locks, projects, tags, tasks, time_entries},
};

macro_rules! purge_order { ($($table:path),+ $(,)?) => {
    /// Deletes every row of the organization, children before parents, because foreign keys do not cascade. The audit
    /// log stays, because it is append-only.
    async fn empty(tx: &OrgTx<Platform>) -> Result<()> {
        $(tx.delete::<$table>(<$table as TenantTable>::ID.is_not_null()).await?;)+
        Ok(())
    }
}}

// `tests/layers.rs` fails if a table is missing here.
purge_order! {
    idempotency::Entity,
    emails::Entity,
    outbox::Entity,
    time_entries::time_entry_tags::Entity,
    time_entries::Entity,
    period_locks::entity::Entity,
    tasks::task_tags::Entity,
    tasks::Entity,
    tags::Entity,
    projects::project_members_entity::Entity,
    projects::Entity,
    invitations::invitation_roles::Entity,
    invitations::Entity,
    transfers::Entity,
    members::member_roles::Entity,
    roles::role_permissions::Entity,
    roles::Entity,
    members::Entity,
    organizations::slug_history::Entity,
    organizations::Entity,
}

/// Removes the organization permanently, with everything in it except its audit log.
pub(crate) async fn erase(scope: &OrgTx<Platform>, kind: &str) -> Result<()> {
    empty(scope).await?;
    let details = EventDetails::removed(json!({ "kind": kind }));
    scope.record(Action::OrganizationPurged, scope.org(), details).await
}

/// Anonymizes all users whose grace period is over, and returns their number. A failure for one user does not stop the
/// others, and is retried later.
///
/// # Errors
/// Errors of the database when it lists them; the last failure, if no user was anonymized.
pub async fn purge(db: &Db) -> Result<u64> {
    let mut purged = BatchResult::default();
    for user in users::due(db).await? {
        if let Some(error) = purged.add(unless_taken(purge_account(db, user).await)) {
            tracing::error!(%error, %user, "could not purge an account");
        }
    }
    purged.into_result()
}

/// How many were purged: one, or none where the row was restored, or another worker purges it now.
pub(crate) fn unless_taken(purged: Result<()>) -> Result<u64> {
    match purged {
        Err(Error::NotFound(_) | Error::Unavailable { .. }) => Ok(0),
        purged => purged.map(|()| 1),
    }
}

/// Runs in one transaction. The row of the user stays without personal data. Everything else of the user is deleted.
async fn purge_account(db: &Db, user: UserId) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::WORKER).await?;
    let found = users::find_due(&tx, user).await?;
    let mut concerned = invitations::organizations_inviting(&tx, &found.email_canonical).await?;
    concerned.extend(personal_organizations(&tx, user).await?);
    organizations::lock_each(&tx, concerned).await?;
    let before = users::anonymize(&tx, user).await?;
    credentials::clear(&tx, user).await?;
    tx.delete::<sessions::Entity>(sessions::Column::UserId.eq(user)).await?;
    tx.delete::<one_time_tokens::Entity>(one_time_tokens::Column::UserId.eq(user)).await?;
    let memberships = members::memberships_of(&tx, user).await?;
    offboarding::lock_memberships(&tx, &memberships).await?;
    for membership in memberships {
        #[expect(clippy::disallowed_methods, reason = "an anonymized user leaves every organization")]
        let scope = tx.enter_org(membership.organization).await?;
        if membership.is_personal() {
            erase(&scope, &membership.kind).await?;
        } else if !membership.is_over() {
            offboarding::end_membership(&scope, &membership).await?;
        }
    }
    invitations::erase(&tx, &before.email_canonical).await?;
    let platform = tx.platform().await?;
    // Stored responses contain personal data.
    let stored_responses = Condition::all().add(idempotency::Column::UserId.eq(user));
    platform.delete::<idempotency::Entity>(stored_responses).await?;
    let deliveries = emails::Column::To.is_in([before.email, before.email_canonical]);
    platform.delete::<emails::Entity>(deliveries).await?;
    platform.record(Action::UserPurged, user, EventDetails::removed(json!({}))).await?;
    drop(platform);
    audit::erase(&tx, user).await?;
    tx.commit().await
}

//! Typed ids: UUIDv7 (RFC 9562 §5.7), so that primary keys sort by creation time.

use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Timestamp, Uuid};

/// A new UUIDv7 of the instant `now`. Ids created later in this process sort later, even within one instant.
fn uuid_v7(now: DateTime<Utc>) -> Uuid {
    static COUNTER: LazyLock<Mutex<ContextV7>> = LazyLock::new(Default::default);
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let counter = COUNTER.lock().unwrap_or_else(PoisonError::into_inner);
    Uuid::new_v7(Timestamp::from_unix(&*counter, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! ids { ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
    $(#[$doc])*
    #[derive(
        Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
    )]
    #[serde(transparent)]
    pub struct $name(pub Uuid);

    impl $name {
        /// A new id, created at the instant `now` (the instant of the transaction, `tx.now()`).
        pub fn new(now: DateTime<Utc>) -> Self {
            Self(uuid_v7(now))
        }

        /// When the id was created, to the millisecond; `None` if it is not a UUIDv7.
        pub fn created_at(self) -> Option<DateTime<Utc>> {
            let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
            DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
        }
    }

    impl std::fmt::Display for $name {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }

    // sea-orm requires this of every primary key. No database returns a UUID as a number.
    impl TryFromU64 for $name {
        fn try_from_u64(_: u64) -> Result<Self, DbErr> {
            Err(DbErr::ConvertFromU64(stringify!($name)))
        }
    }
)+}}

ids! {
    /// An organization (a tenant).
    OrgId,
    /// A user.
    UserId,
    /// The membership of a user in an organization.
    MemberId,
    /// A role: a named set of permissions in one organization.
    RoleId,
    /// The link between a member and a role.
    MemberRoleId,
    /// The link between a role and a permission.
    RolePermissionId,
    /// A credential of a user, such as a password.
    CredentialId,
    /// An e-mailed token that can be used once.
    OneTimeTokenId,
    /// A session: one login on one device.
    SessionId,
    /// A project of one organization.
    ProjectId,
    /// The link between a project and a member.
    ProjectMemberId,
    /// A tag of one organization.
    TagId,
    /// A task of one organization.
    TaskId,
    /// The link between a task and a tag.
    TaskTagId,
    /// A time entry of a member.
    TimeEntryId,
    /// The link between a time entry and a tag.
    TimeEntryTagId,
    /// The lock of an organization's time entries up to a date.
    PeriodLockId,
    /// An invitation to an organization.
    InvitationId,
    /// The link between an invitation and a role.
    InvitationRoleId,
    /// An audit event.
    EventId,
    /// A checkpoint: a signed statement about the head of an audit log.
    CheckpointId,
    /// A job, which is a row of the outbox.
    JobId,
    /// A schedule of periodic work.
    ScheduleId,
    /// A queue of jobs.
    QueueId,
    /// A stored response to a request with an idempotency key.
    IdempotencyKeyId,
    /// A signing key.
    SigningKeyId,
    /// A transfer of an organization to a new owner.
    OwnerTransferId,
    /// A former slug of an organization.
    OldSlugId,
}

impl OrgId {
    /// The owner of rows that belong to the platform and to no organization: the nil UUID (RFC 9562 §5.9).
    pub const PLATFORM: Self = Self(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_in_creation_order() {
        let now = DateTime::from_timestamp_micros(1_790_000_000_000_123).unwrap();
        let ids: Vec<_> = (0..1000).map(|_| ProjectId::new(now)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[0].0.get_version_num(), 7);
    }
}

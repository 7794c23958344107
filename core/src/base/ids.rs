//! Typed ids: UUIDv7 (RFC 9562 §5.7), so that primary keys sort by creation time.

use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Timestamp, Uuid};

/// A fresh UUIDv7 of the instant `now`; ids made later in this process sort later, also within one instant.
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
        /// A new id, made at the instant `now` (the transaction's: `tx.now()`).
        pub fn new(now: DateTime<Utc>) -> Self {
            Self(uuid_v7(now))
        }

        /// When it was made, to the millisecond; `None` of what is no UUIDv7.
        pub fn made_at(self) -> Option<DateTime<Utc>> {
            let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
            DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
        }
    }

    impl std::fmt::Display for $name {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }

    // sea-orm asks this of every primary key; no database hands us a UUID as a number.
    impl TryFromU64 for $name {
        fn try_from_u64(_: u64) -> Result<Self, DbErr> {
            Err(DbErr::ConvertFromU64(stringify!($name)))
        }
    }
)+}}

ids! {
    /// One organization, that is one tenant.
    OrgId,
    /// A person with an account.
    UserId,
    /// A person's belonging to one organization.
    MemberId,
    /// A named set of permissions in one organization.
    RoleId,
    /// The link between a member and a role.
    MemberRoleId,
    /// The link between a role and a permission.
    RolePermissionId,
    /// A person's proof of identity, such as a password.
    CredentialId,
    /// A token that is mailed once and used once.
    OneTimeTokenId,
    /// One log-in on one device.
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
    /// A stretch of time that a member worked.
    TimeEntryId,
    /// The link between a time entry and a tag.
    TimeEntryTagId,
    /// Up to when an organization's time is settled.
    PeriodLockId,
    /// An invitation into one organization.
    InvitationId,
    /// The link between an invitation and a role.
    InvitationRoleId,
    /// One entry of an audit log.
    EventId,
    /// One signed statement of what an audit log had come to.
    CheckpointId,
    /// One row of the outbox, that is one job.
    JobId,
    /// One schedule of periodic work.
    ScheduleId,
    /// One queue of jobs.
    QueueId,
    /// One remembered answer.
    AnswerId,
    /// One key that signs.
    SigningKeyId,
    /// One handing over of an organization.
    OwnerTransferId,
    /// One slug that an organization had.
    OldSlugId,
}

impl OrgId {
    /// Owns what belongs to the platform and to no tenant: the nil UUID (RFC 9562 §5.9).
    pub const PLATFORM: Self = Self(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_in_the_order_they_were_made() {
        let now = DateTime::from_timestamp_micros(1_790_000_000_000_123).unwrap();
        let made: Vec<_> = (0..1000).map(|_| ProjectId::new(now)).collect();
        assert!(made.is_sorted());
        assert_eq!(made[0].0.get_version_num(), 7);
    }
}

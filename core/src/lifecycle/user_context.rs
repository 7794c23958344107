//! What a client needs to show a signed-in user: themselves, their organizations, and what they may do in one of them.

use std::sync::Arc;

use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::{MemberId, SessionId},
        pagination::{PageRequest, Sort},
        permissions::{Membership, Permission, RoleGrants},
    },
    identity::{
        sessions::{self, Session},
        users::User,
    },
    storage::db::{Db, OrgTx},
    tenancy::{
        invitations::{self, InvitationKey, InvitationView},
        members::{self, UserMembership},
        organizations::{self, Organization},
        settings::{self, Settings},
        transfers::{self, Transfer},
    },
    work::{
        period_locks::{self, PeriodLock},
        time_entries::{self, TimeEntryWithTags},
    },
};

/// How many organizations and how many invitations are returned.
const MAX_ROWS: u64 = 100;

/// What belongs to a user, across organizations.
#[derive(Clone, Debug)]
pub struct UserContext {
    /// The session of the request.
    pub session: Session,
    /// The first 100 memberships, the oldest first.
    pub organizations: Vec<UserMembership>,
    /// The first 100 pending invitations to the verified e-mail address, the oldest first.
    pub invitations: Vec<InvitationView>,
    /// The pending transfers that the user can accept.
    pub transfers: Vec<Transfer>,
}

/// One organization, as its caller sees it. What the caller may not read is `None`.
#[derive(Clone, Debug)]
pub struct OrganizationContext {
    /// The organization.
    pub organization: Organization,
    /// The membership of the caller; `None` for superusers.
    pub member: Option<MemberId>,
    /// The roles of the caller; empty for superusers.
    pub roles: Arc<[RoleGrants]>,
    /// The permissions of the caller.
    pub permissions: Vec<Permission>,
    /// The settings.
    pub settings: Option<Settings>,
    /// The locked period.
    pub period_lock: Option<PeriodLock>,
    /// The running time entry of the caller.
    pub timer: Option<TimeEntryWithTags>,
}

/// Returns what belongs to a user, with one transaction.
///
/// # Errors
/// `INVALID_TOKEN` when the session ended at the same time.
pub async fn of_user(db: &Db, user: &User, session: SessionId) -> Result<UserContext> {
    #[expect(clippy::disallowed_methods, reason = "users read what is theirs, across organizations")]
    let tx = db.unscoped().await?;
    let session = sessions::find_active(&tx, session).await?.ok_or(ErrorCode::InvalidToken.refuse())?;
    let first = Sort { key: (), descending: false };
    let organizations = PageRequest { sort: first, limit: MAX_ROWS, after: None };
    let oldest = Sort { key: InvitationKey::CreatedAt, descending: false };
    let received = PageRequest { sort: oldest, limit: MAX_ROWS, after: None };
    Ok(UserContext {
        session,
        organizations: members::organizations_of(&tx, user.id, organizations).await?.data,
        invitations: invitations::received_by(&tx, user, received).await?.data,
        transfers: transfers::offered_to(&tx, user.id).await?,
    })
}

/// Returns what the caller sees of an organization.
///
/// # Errors
/// `NotFound` when the organization was deleted at the same time.
pub async fn of_organization(tx: &OrgTx<Membership>) -> Result<OrganizationContext> {
    let organization = organizations::current(tx).await?;
    let (reads_settings, reads_time) =
        (tx.may(Permission::OrganizationRead), tx.may(Permission::TimeEntriesRead));
    let timer = match tx.member() {
        Some(member) if reads_time => time_entries::running_of(tx, member).await?,
        _ => None,
    };
    Ok(OrganizationContext {
        member: tx.member(),
        roles: Arc::clone(&tx.facts().roles),
        permissions: tx.facts().held.iter().collect(),
        settings: reads_settings.then(|| settings::of(&organization)),
        period_lock: if reads_time { Some(period_locks::current(tx).await?) } else { None },
        timer,
        organization,
    })
}

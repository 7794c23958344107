//! Operations that span users and organizations: registration, deletion, new organizations, new members.

mod admin;
mod invitation_response;
mod password;
mod profile;
mod purge;
mod deletion;
#[cfg(test)]
mod tests;

pub use admin::{AccountChanges, NewAccount, activate, change, create, deactivate, list};
pub use deletion::{ADMIN_DELETE_GRACE, SELF_DELETE_GRACE, remove, restore};
pub use invitation_response::{NewAccountDetails, accept, decline};
pub use password::change_password;
pub use profile::{change_profile, with_default_organization};
pub use purge::purge;
pub(crate) use purge::{erase, unless_taken};

use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::{OrgId, UserId},
        permissions::{Actor, BuiltinRole},
        text::EmailAddress,
    },
    identity::{
        credentials,
        one_time_tokens::{self, EmailTokens, TokenPurpose},
        sessions::{self, RevokeScope},
        users::{self, EmailState, NewUser, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
    tenancy::{
        members::{self, Member},
        organizations::{self, NewOrganization, Organization},
        roles,
    },
};

/// Creates an account. `secret_hash` is the hash of the password. `with_organization` also creates a personal
/// organization. `to_prove` says how the e-mail address is verified; `None`: it counts as verified.
///
/// # Errors
/// `EMAIL_TAKEN`; `USERNAME_TAKEN`. If accounts are hidden, the username is only checked at verification.
pub async fn register(
    tx: &mut GlobalTx,
    new: NewUser,
    secret_hash: String,
    with_organization: bool,
    to_prove: Option<&EmailTokens>,
) -> Result<User> {
    let email = new.email.clone();
    refuse_reserved(tx, &email, None).await?;
    let address = match to_prove {
        None => EmailState::Verified,
        Some(mail) if mail.hides_accounts => EmailState::Hidden,
        Some(_) => EmailState::Unverified,
    };
    let mut user = users::create(tx, new, false, address).await?;
    credentials::create(tx, user.id, secret_hash).await?;
    let first_email = match to_prove {
        Some(mail) => {
            let token = one_time_tokens::issue(tx, mail, TokenPurpose::Verify, user.id, &email).await?;
            Job::SendVerification { token: token.id }
        }
        None => Job::SendWelcome { user: user.id },
    };
    tx.set_actor(Actor::User(user.id), Some(&user.email));
    let platform = tx.platform().await?;
    platform.record(Action::UserRegistered, user.id, EventDetails::created(users::facts(&user))).await?;
    platform.enqueue(&first_email).await?;
    if with_organization {
        // Not stored: without an explicit default, it is the organization that the user joined first.
        user.default_organization_id = Some(create_personal_organization(tx, &user).await?.id);
    }
    Ok(user)
}

/// Checks that the e-mail address is not reserved for another user, who can still undo its change. Otherwise an
/// attacker could register it after a takeover, and the undo would fail.
///
/// # Errors
/// `EMAIL_TAKEN` if it is reserved.
pub(crate) async fn refuse_reserved(
    tx: &GlobalTx,
    email: &EmailAddress,
    except: Option<UserId>,
) -> Result<()> {
    let mut reserved = one_time_tokens::reserved_for(tx, email).await?;
    reserved.retain(|user| Some(*user) != except);
    match users::any_exists(tx, &reserved).await? {
        true => Err(ErrorCode::EmailTaken.refuse()),
        false => Ok(()),
    }
}

/// Creates the personal organization of a new account.
async fn create_personal_organization(tx: &GlobalTx, user: &User) -> Result<Organization> {
    insert_organization(tx, user.id, organizations::new_personal(user), organizations::PERSONAL).await
}

/// Ensures that a superuser with this e-mail address exists. The address counts as verified. An existing superuser
/// keeps their password. Any other account with this e-mail address gets the new password, and its sessions end.
/// Returns whether an account was created or promoted.
///
/// # Errors
/// Errors of the database.
pub async fn ensure_superuser(tx: &GlobalTx, email: EmailAddress, secret_hash: String) -> Result<bool> {
    let (user, action) = match users::lock_by_email(tx, &email).await? {
        Some(user) if user.is_superuser => return Ok(false),
        Some(user) => {
            let user = users::promote(tx, user).await?;
            // Another person may have created the account.
            credentials::set(tx, user.id, secret_hash).await?;
            sessions::revoke(tx, user.id, RevokeScope::All, "promoted").await?;
            one_time_tokens::revoke(tx, user.id, TokenPurpose::ALL).await?;
            (users::set_verified_email(tx, user, email).await?, Action::UserPromoted)
        }
        None => {
            let new = NewUser { email, username: None, first_name: None, last_name: None };
            let user = users::create(tx, new, true, EmailState::Verified).await?;
            credentials::create(tx, user.id, secret_hash).await?;
            (user, Action::UserRegistered)
        }
    };
    let platform = tx.platform().await?;
    platform.record(action, user.id, EventDetails::created(users::facts(&user))).await?;
    Ok(true)
}

/// Creates an organization with `user` as its owner.
///
/// # Errors
/// `SLUG_TAKEN`; `NotFound` if the account was deleted at the same time.
pub async fn create_organization(tx: &GlobalTx, user: UserId, new: NewOrganization) -> Result<Organization> {
    // Locked, so that a user who is being deleted creates no organization without an owner.
    users::lock(tx, user).await?;
    insert_organization(tx, user, new, organizations::TEAM).await
}

/// Like [`create_organization`], unless `user` already owns `most` organizations. Deleted and personal organizations do
/// not count.
///
/// # Errors
/// `ORGANIZATION_LIMIT`, and those of [`create_organization`].
pub async fn create_organization_within(
    tx: &GlobalTx,
    user: UserId,
    new: NewOrganization,
    most: u64,
) -> Result<Organization> {
    // Locked, so that two concurrent requests are counted one after the other.
    users::lock(tx, user).await?;
    if members::count_owned_teams(tx, user).await? >= most {
        return Err(ErrorCode::OrganizationLimit.refuse());
    }
    insert_organization(tx, user, new, organizations::TEAM).await
}

async fn insert_organization(
    tx: &GlobalTx,
    owner: UserId,
    new: NewOrganization,
    kind: &str,
) -> Result<Organization> {
    #[expect(clippy::disallowed_methods, reason = "a new organization has no members yet")]
    let org = tx.enter_org(OrgId::new(tx.now())).await?;
    let organization = organizations::create(&org, new, kind).await?;
    roles::create_builtin(&org).await?;
    members::add(&org, owner, BuiltinRole::Owner).await?;
    Ok(organization)
}

/// Adds a user to an organization with one role. Only for the command line, because it checks no permission.
///
/// # Errors
/// `CONFLICT` if the user is a member already.
pub async fn join(tx: &GlobalTx, org: OrgId, user: UserId, role: BuiltinRole) -> Result<Member> {
    #[expect(clippy::disallowed_methods, reason = "the command line checks no membership")]
    let org = tx.enter_org(org).await?;
    members::add(&org, user, role).await
}

/// Records an event of an account in the log of the platform, because accounts belong to no organization.
async fn record(tx: &GlobalTx, action: Action, user: UserId, details: EventDetails) -> Result<()> {
    let platform = tx.platform().await?;
    platform.record(action, user, details).await
}

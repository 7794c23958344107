//! What spans people and organizations: to register, to found, to join, to leave it all.

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
        users::{self, Address, NewUser, User},
    },
    storage::{
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
    tenancy::{
        members::{self, Member},
        organizations::{self, NewOrganization, Organization},
        roles,
    },
};

/// Opens an account. `secret_hash`: of the password. `with_organization`: and an organization of his own. `to_prove`: how
/// the mailbox is to be proved; `None`: it need not be.
///
/// # Errors
/// `EMAIL_TAKEN`; `USERNAME_TAKEN`, unless accounts are hidden: then the username is judged when the mailbox is proved.
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
        None => Address::Proved,
        Some(mail) if mail.hides_accounts => Address::Hidden,
        Some(_) => Address::Unproved,
    };
    let mut user = users::create(tx, new, false, address).await?;
    credentials::create(tx, user.id, secret_hash).await?;
    let first_mail = match to_prove {
        Some(mail) => {
            let token = one_time_tokens::issue(tx, mail, TokenPurpose::Verify, user.id, &email).await?;
            Job::SendVerification { token: token.id }
        }
        None => Job::SendWelcome { user: user.id },
    };
    tx.set_actor(Actor::User(user.id), Some(&user.email));
    let platform = tx.platform().await?;
    platform.record(Action::UserRegistered, user.id, Details::created(users::facts(&user))).await?;
    platform.enqueue(&first_mail).await?;
    if with_organization {
        // Not stored: who has chosen none works where he has been for the longest time.
        user.default_organization_id = Some(found_personal(tx, &user).await?.id);
    }
    Ok(user)
}

/// Is the address kept for somebody else, who may still undo the change away from it? Otherwise whoever took his account
/// over would register it, and the undo would come too late.
///
/// # Errors
/// `EMAIL_TAKEN` if so.
pub(crate) async fn refuse_reserved(tx: &GlobalTx, email: &EmailAddress, but: Option<UserId>) -> Result<()> {
    let mut kept = one_time_tokens::reserved_for(tx, email).await?;
    kept.retain(|user| Some(*user) != but);
    match users::is_any_living(tx, &kept).await? {
        true => Err(ErrorCode::EmailTaken.refuse()),
        false => Ok(()),
    }
}

/// Founds the organization that is a person's own. Part of opening his account.
async fn found_personal(tx: &GlobalTx, user: &User) -> Result<Organization> {
    establish(tx, user.id, organizations::personal(user), organizations::PERSONAL).await
}

/// Makes sure that there is an operator of the platform with this address, which needs no proof. One who is an operator
/// already keeps his password; any other account with this address gets this one, and every log-in ends.
/// `true`: it was made or promoted now.
///
/// # Errors
/// Whatever the database refuses.
pub async fn ensure_superuser(tx: &GlobalTx, email: EmailAddress, secret_hash: String) -> Result<bool> {
    let (user, action) = match users::with_email(tx, &email).await? {
        Some(user) if user.is_superuser => return Ok(false),
        Some(user) => {
            let user = users::promote(tx, user).await?;
            // Whoever opened the account need not be the one who is made an operator.
            credentials::set(tx, user.id, secret_hash).await?;
            sessions::revoke(tx, user.id, RevokeScope::All, "promoted").await?;
            one_time_tokens::revoke(tx, user.id, TokenPurpose::ALL).await?;
            (users::set_verified_email(tx, user, email).await?, Action::UserPromoted)
        }
        None => {
            let new = NewUser { email, username: None, first_name: None, last_name: None };
            let user = users::create(tx, new, true, Address::Proved).await?;
            credentials::create(tx, user.id, secret_hash).await?;
            (user, Action::UserRegistered)
        }
    };
    let platform = tx.platform().await?;
    platform.record(action, user.id, Details::created(users::facts(&user))).await?;
    Ok(true)
}

/// Founds an organization; `user` becomes its owner.
///
/// # Errors
/// `SLUG_TAKEN`; `NotFound` when his account was deleted at the same time.
pub async fn create_organization(tx: &GlobalTx, user: UserId, new: NewOrganization) -> Result<Organization> {
    // Whoever is leaving founds nothing that would then have no owner.
    users::lock(tx, user).await?;
    establish(tx, user, new, organizations::TEAM).await
}

/// Founds an organization as [`found`] does, unless `user` owns `most` of them by now; deleted ones and their personal one
/// do not count.
///
/// # Errors
/// `ORGANIZATION_LIMIT`, and those of [`found`].
pub async fn create_organization_within(
    tx: &GlobalTx,
    user: UserId,
    new: NewOrganization,
    most: u64,
) -> Result<Organization> {
    // Locked, so that of two who found at once the second is counted.
    users::lock(tx, user).await?;
    if members::owned(tx, user).await? >= most {
        return Err(ErrorCode::OrganizationLimit.refuse());
    }
    establish(tx, user, new, organizations::TEAM).await
}

async fn establish(tx: &GlobalTx, owner: UserId, new: NewOrganization, kind: &str) -> Result<Organization> {
    #[expect(clippy::disallowed_methods, reason = "nobody can be a member of what is only being founded")]
    let org = tx.enter_org(OrgId::new(tx.now())).await?;
    let organization = organizations::create(&org, new, kind).await?;
    roles::create_builtin(&org).await?;
    members::add(&org, owner, BuiltinRole::Owner).await?;
    Ok(organization)
}

/// Takes a person into an organization, with one role. For the program itself: no member is asked.
///
/// # Errors
/// `CONFLICT` when he belongs to it already.
pub async fn join(tx: &GlobalTx, org: OrgId, user: UserId, role: BuiltinRole) -> Result<Member> {
    #[expect(clippy::disallowed_methods, reason = "the command line answers to nobody's membership")]
    let org = tx.enter_org(org).await?;
    members::add(&org, user, role).await
}

/// Records what happened to an account: it belongs to no organization, so it stands in the platform's log.
async fn record(tx: &GlobalTx, action: Action, user: UserId, details: Details) -> Result<()> {
    let platform = tx.platform().await?;
    platform.record(action, user, details).await
}

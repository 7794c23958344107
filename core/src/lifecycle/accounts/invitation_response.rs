//! Accept or decline an invitation. The token proves the e-mail address, so no login is needed. A user with this verified
//! address needs no token.

use serde_json::json;

use super::{record, refuse_reserved};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        permissions::{Actor, Platform},
        text::{EmailAddress, Name},
    },
    identity::{
        credentials,
        one_time_tokens::{self, OneTimeToken, TokenPurpose},
        sessions::{self, RevokeScope},
        users::{self, EmailState, NewUser, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{GlobalTx, OrgTx},
        outbox::Job,
    },
    tenancy::{
        invitations::{self, InvitationStatus, InvitationView},
        members::{Member, join},
        organizations::{self, Organization},
    },
};

/// The data of a new account for a recipient without one.
#[derive(Clone, Debug)]
pub struct NewAccountDetails {
    /// Hash of the new password.
    pub secret_hash: String,
    /// `None` leaves it empty.
    pub first_name: Option<Name>,
    /// `None` leaves it empty.
    pub last_name: Option<Name>,
}

/// Makes the recipient a member with exactly the roles of the invitation. `me` is the user who is logged in.
///
/// If the e-mail address has no account, this creates one without a personal organization. If an account never verified
/// the e-mail address, another person may have created it: its password and its sessions end.
///
/// # Errors
/// `INVITATION_EMAIL_MISMATCH` if another user is logged in; `INVITATION_EXPIRED`, also to all but one of several
/// concurrent requests; `ORGANIZATION_SUSPENDED`; `INVITATION_UNSUPPORTED` if the inviter can no longer grant the
/// roles; `INACTIVE_USER`; `VALIDATION_FAILED` if a password is required; `ALREADY_MEMBER`; `EMAIL_TAKEN` if the e-mail
/// address is reserved for another user. Except after expiry, the token stays valid.
pub async fn accept(
    tx: &mut GlobalTx,
    link: &OneTimeToken,
    view: &InvitationView,
    me: Option<&User>,
    new_account: Option<NewAccountDetails>,
) -> Result<(User, Member)> {
    let email = invitations::stored_email(&link.email)?;
    if me.is_some_and(|me| me.email_canonical != link.email_canonical) {
        return Err(Error::EmailMismatch(email.masked()));
    }
    let (invitation, scope) = (&view.invitation, enter(tx, view).await?);
    // The organization first: a request that takes the inviter's permissions away locks it too.
    let organization = lock(&scope).await?;
    if organization.status != organizations::ACTIVE {
        return Err(ErrorCode::OrganizationSuspended.refuse());
    }
    consume(tx, link).await?;
    let roles = invitations::grants(&scope, invitation).await?;
    match invitation.invited_by {
        Some(inviter) => join::check_inviter(&scope, inviter, &roles).await?,
        None => users::require_superuser(tx, invitation.inviter_id).await?,
    }
    drop(scope);
    let masked = email.masked();
    let user = find_or_create_user(tx, email, new_account).await?;
    // The e-mail address of an account can change while this request waits for the locks.
    if me.is_some_and(|me| me.id != user.id) {
        return Err(Error::EmailMismatch(masked));
    }
    sessions::still_signed_in(tx).await?;
    let scope = enter(tx, view).await?;
    let member = join::join(&scope, user.id, &roles, invitation.invited_by, invitation.id).await?;
    invitations::close(&scope, invitation, InvitationStatus::Accepted, Action::InvitationAccepted).await?;
    Ok((user, member))
}

/// Declines an invitation.
///
/// # Errors
/// `INVITATION_EXPIRED`, also to all but one of several concurrent requests.
pub async fn decline(tx: &GlobalTx, link: &OneTimeToken, view: &InvitationView) -> Result<()> {
    let scope = enter(tx, view).await?;
    lock(&scope).await?;
    consume(tx, link).await?;
    invitations::close(&scope, &view.invitation, InvitationStatus::Declined, Action::InvitationDeclined).await
}

async fn enter(tx: &GlobalTx, view: &InvitationView) -> Result<OrgTx<Platform>> {
    #[expect(clippy::disallowed_methods, reason = "the recipient of an invitation is not a member yet")]
    tx.enter_org(view.organization.id).await
}

async fn lock(scope: &OrgTx<Platform>) -> Result<Organization> {
    join::lock(scope).await.map_err(|error| match error {
        // The organization was deleted meanwhile.
        Error::NotFound(_) => ErrorCode::InvitationExpired.refuse(),
        error => error,
    })
}

async fn consume(tx: &GlobalTx, link: &OneTimeToken) -> Result<()> {
    one_time_tokens::consume(tx, link).await.map_err(|error| match error.code() {
        ErrorCode::LinkExpired => ErrorCode::InvitationExpired.refuse(),
        _ => error,
    })
}

/// The user with the e-mail address, who becomes the actor of the transaction.
async fn find_or_create_user(
    tx: &mut GlobalTx,
    email: EmailAddress,
    new_account: Option<NewAccountDetails>,
) -> Result<User> {
    let user = match users::lock_by_email(tx, &email).await? {
        Some(user) if !user.is_active => return Err(ErrorCode::InactiveUser.refuse()),
        Some(user) if user.email_verified_at.is_some() => {
            set_actor(tx, &user);
            return Ok(user);
        }
        user => user,
    };
    let mut fields = FieldErrors::default();
    if new_account.is_none() {
        fields.add("password", "REQUIRED", "Choose a password to log in with.");
    }
    fields.into_result()?;
    let new_account = new_account.ok_or(ErrorCode::ValidationFailed.refuse())?;
    match user {
        None => open_account(tx, email, new_account).await,
        Some(user) => claim_account(tx, email, user, new_account).await,
    }
}

async fn open_account(
    tx: &mut GlobalTx,
    email: EmailAddress,
    new_account: NewAccountDetails,
) -> Result<User> {
    let NewAccountDetails { secret_hash, first_name, last_name } = new_account;
    refuse_reserved(tx, &email, None).await?;
    let new = NewUser { email, username: None, first_name, last_name };
    let user = users::create(tx, new, false, EmailState::Verified).await?;
    credentials::create(tx, user.id, secret_hash).await?;
    set_actor(tx, &user);
    record(tx, Action::UserRegistered, user.id, EventDetails::created(users::facts(&user))).await?;
    tx.platform().await?.enqueue(&Job::SendWelcome { user: user.id }).await?;
    Ok(user)
}

/// Gives an unverified account to the user who proved its e-mail address, and ends the access of all others.
async fn claim_account(
    tx: &mut GlobalTx,
    email: EmailAddress,
    user: User,
    new_account: NewAccountDetails,
) -> Result<User> {
    set_actor(tx, &user);
    credentials::clear(tx, user.id).await?;
    credentials::create(tx, user.id, new_account.secret_hash).await?;
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    sessions::revoke(tx, user.id, RevokeScope::All, "mailbox proved by an invitation").await?;
    let user = users::set_verified_email(tx, user, email).await?;
    let facts = |is_verified: bool| json!({ "email_verified": is_verified });
    record(tx, Action::UserPasswordReset, user.id, EventDetails::changed(facts(false), facts(true))).await?;
    let platform = tx.platform().await?;
    platform.enqueue(&Job::SendPasswordChanged { user: user.id }).await?;
    platform.enqueue(&Job::SendWelcome { user: user.id }).await?;
    Ok(user)
}

fn set_actor(tx: &mut GlobalTx, user: &User) {
    if tx.origin().actor == Actor::Anonymous {
        tx.set_actor(Actor::User(user.id), Some(&user.email));
    }
}

//! How whoever was invited comes in, or says that he will not. The token proves the mailbox; nobody need be signed in.

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
        audit::{Action, Details},
        db::{GlobalTx, OrgTx},
        outbox::Job,
    },
    tenancy::{
        invitations::{self, InvitationStatus, InvitationView},
        members::{Member, join},
        organizations::{self, Organization},
    },
};

/// What whoever has no account of a proved address says of himself.
#[derive(Clone, Debug)]
pub struct NewAccountDetails {
    /// Of the password he will log in with.
    pub secret_hash: String,
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
}

/// Takes whoever an invitation is for into the organization, with exactly its roles. `me`: who is signed in.
///
/// Where the address has no account, one is opened, without an organization of its own. Where nobody has proved that an
/// account's address is his, anybody may have opened it: its password and its sessions end.
///
/// # Errors
/// `INVITATION_EMAIL_MISMATCH` when somebody else is signed in; `INVITATION_EXPIRED`, also to all but one of many at the
/// same time; `ORGANIZATION_SUSPENDED`; `INVITATION_UNSUPPORTED` when the inviter may no longer give the roles;
/// `INACTIVE_USER`; `VALIDATION_FAILED` where a password is needed; `ALREADY_MEMBER`; `EMAIL_TAKEN` when the address is kept
/// for somebody else. The token stays good then.
pub async fn accept(
    tx: &mut GlobalTx,
    link: &OneTimeToken,
    opened: &InvitationView,
    me: Option<&User>,
    newcomer: Option<NewAccountDetails>,
) -> Result<(User, Member)> {
    let email = invitations::stored_email(&link.email)?;
    if me.is_some_and(|me| me.email_canonical != link.email_canonical) {
        return Err(Error::EmailMismatch(email.masked()));
    }
    let (invitation, scope) = (&opened.invitation, inside(tx, opened).await?);
    // The organization first: whoever takes the inviter's rights away holds it, too.
    let organization = lock(&scope).await?;
    if organization.status != organizations::ACTIVE {
        return Err(ErrorCode::OrganizationSuspended.refuse());
    }
    consume(tx, link).await?;
    let given = invitations::grants(&scope, invitation).await?;
    match invitation.invited_by {
        Some(inviter) => join::check_inviter(&scope, inviter, &given).await?,
        None => users::require_superuser(tx, invitation.inviter_id).await?,
    }
    drop(scope);
    let user = person(tx, email, newcomer).await?;
    sessions::still_signed_in(tx).await?;
    let scope = inside(tx, opened).await?;
    let member = join::join(&scope, user.id, &given, invitation.invited_by, invitation.id).await?;
    invitations::close(&scope, invitation, InvitationStatus::Accepted, Action::InvitationAccepted).await?;
    Ok((user, member))
}

/// Says no to an invitation.
///
/// # Errors
/// `INVITATION_EXPIRED`, also to all but one of many at the same time.
pub async fn decline(tx: &GlobalTx, link: &OneTimeToken, opened: &InvitationView) -> Result<()> {
    let scope = inside(tx, opened).await?;
    lock(&scope).await?;
    consume(tx, link).await?;
    invitations::close(&scope, &opened.invitation, InvitationStatus::Declined, Action::InvitationDeclined)
        .await
}

async fn inside(tx: &GlobalTx, opened: &InvitationView) -> Result<OrgTx<Platform>> {
    #[expect(clippy::disallowed_methods, reason = "who has the token of an invitation is no member yet")]
    tx.enter_org(opened.organization.id).await
}

async fn lock(scope: &OrgTx<Platform>) -> Result<Organization> {
    join::lock(scope).await.map_err(|error| match error {
        // Deleted meanwhile.
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

/// Whose the mailbox is; he acts from now on.
async fn person(tx: &mut GlobalTx, email: EmailAddress, newcomer: Option<NewAccountDetails>) -> Result<User> {
    let user = match users::lock_by_email(tx, &email).await? {
        Some(user) if !user.is_active => return Err(ErrorCode::InactiveUser.refuse()),
        Some(user) if user.email_verified_at.is_some() => {
            act(tx, &user);
            return Ok(user);
        }
        user => user,
    };
    let mut fields = FieldErrors::default();
    if newcomer.is_none() {
        fields.add("password", "REQUIRED", "Choose a password to log in with.");
    }
    fields.into_result()?;
    let newcomer = newcomer.ok_or(ErrorCode::ValidationFailed.refuse())?;
    match user {
        None => open_account(tx, email, newcomer).await,
        Some(user) => claim_account(tx, email, user, newcomer).await,
    }
}

async fn open_account(tx: &mut GlobalTx, email: EmailAddress, newcomer: NewAccountDetails) -> Result<User> {
    let NewAccountDetails { secret_hash, first_name, last_name } = newcomer;
    refuse_reserved(tx, &email, None).await?;
    let new = NewUser { email, username: None, first_name, last_name };
    let user = users::create(tx, new, false, EmailState::Verified).await?;
    credentials::create(tx, user.id, secret_hash).await?;
    act(tx, &user);
    record(tx, Action::UserRegistered, user.id, Details::created(users::facts(&user))).await?;
    tx.platform().await?.enqueue(&Job::SendWelcome { user: user.id }).await?;
    Ok(user)
}

/// Gives an account to whoever has its mailbox, and ends what anybody else may hold of it.
async fn claim_account(
    tx: &mut GlobalTx,
    email: EmailAddress,
    user: User,
    newcomer: NewAccountDetails,
) -> Result<User> {
    act(tx, &user);
    credentials::clear(tx, user.id).await?;
    credentials::create(tx, user.id, newcomer.secret_hash).await?;
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    sessions::revoke(tx, user.id, RevokeScope::All, "mailbox proved by an invitation").await?;
    let user = users::set_verified_email(tx, user, email).await?;
    let facts = |is_verified: bool| json!({ "email_verified": is_verified });
    record(tx, Action::UserPasswordReset, user.id, Details::changed(facts(false), facts(true))).await?;
    let platform = tx.platform().await?;
    platform.enqueue(&Job::SendPasswordChanged { user: user.id }).await?;
    platform.enqueue(&Job::SendWelcome { user: user.id }).await?;
    Ok(user)
}

fn act(tx: &mut GlobalTx, user: &User) {
    if tx.origin().actor == Actor::Anonymous {
        tx.set_actor(Actor::User(user.id), Some(&user.email));
    }
}

//! One-time tokens in e-mails. Each verifies an e-mail address, once, until it expires.
//!
//! Nothing secret is stored. A token is derived from the id of its row with a key ([`EmailTokens`]), and the row stores
//! its hash. So a job needs only the id, and the contents of the database are not enough to use a token.

mod entity;
mod invitation;
mod email;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Asterisk, Query},
};

pub use email::EmailTokens;
pub use entity::Model as OneTimeToken;
pub(crate) use entity::{Column, Entity};
pub(crate) use invitation::{issue_invitation, revoke_invitation, valid_of_invitation};

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{OneTimeTokenId, UserId},
        text::EmailAddress,
    },
    storage::db::{Db, GlobalTx},
};

/// What a token can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPurpose {
    /// Verify the e-mail address of a new account.
    Verify,
    /// Set a new password.
    Reset,
    /// Confirm a new e-mail address.
    Email,
    /// Undo the change of an e-mail address.
    Undo,
    /// Join an organization. It refers to no account, because the recipient may have none.
    Invitation,
}

impl TokenPurpose {
    /// All purposes.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Verify, Self::Reset, Self::Email, Self::Undo, Self::Invitation];
    /// Purposes that give or extend access to an account. Their tokens are revoked together with its sessions.
    pub(crate) const MAILED_TO_ACT: &'static [Self] = &[Self::Verify, Self::Reset, Self::Email];

    /// Returns the stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::Email => "email",
            Self::Undo => "undo",
            Self::Invitation => "invitation",
        }
    }
}

impl OneTimeToken {
    /// Returns the purpose. `None` if the stored text is unknown.
    pub fn purpose(&self) -> Option<TokenPurpose> {
        TokenPurpose::ALL.iter().copied().find(|purpose| purpose.as_str() == self.purpose)
    }
}

/// Creates a token about `user`, for the e-mail address `email`. Revokes older tokens of the same purpose, except undo
/// tokens: otherwise an attacker with access to the account could revoke them by changing its e-mail address twice.
pub(crate) async fn issue(
    tx: &GlobalTx,
    mail: &EmailTokens,
    purpose: TokenPurpose,
    user: UserId,
    email: &EmailAddress,
) -> Result<OneTimeToken> {
    if purpose != TokenPurpose::Undo {
        revoke(tx, user, &[purpose]).await?;
    }
    let (id, now) = (OneTimeTokenId::new(tx.now()), tx.now());
    tx.insert(entity::ActiveModel {
        id: Set(id),
        user_id: Set(Some(user)),
        email: Set(email.as_str().to_owned()),
        email_canonical: Set(email.key().to_owned()),
        purpose: Set(purpose.as_str().to_owned()),
        subject_id: Set(None),
        token_hash: Set(email::hash(mail.token(purpose, id).expose())),
        used_at: Set(None),
        expires_at: Set(now + mail.lifetime(purpose)),
        created_at: Set(now),
        updated_at: Set(now),
    })
    .await
}

/// Finds the row of a token that is valid for one of `purposes`. The token stays unused; [`consume`] uses it.
///
/// # Errors
/// `LINK_EXPIRED` if the token is unknown, used, expired, or of another purpose.
pub async fn find(db: &Db, token: &str, purposes: &[TokenPurpose]) -> Result<OneTimeToken> {
    #[expect(clippy::disallowed_methods, reason = "a user who opens a link is in no organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column((Entity, Asterisk))
        .from(Entity)
        .cond_where(valid(tx.now()).add(Column::TokenHash.eq(email::hash(token))));
    let found: Vec<OneTimeToken> = tx.rows(&query).await?;
    let has_purpose = |row: &OneTimeToken| row.purpose().is_some_and(|purpose| purposes.contains(&purpose));
    found.into_iter().find(has_purpose).ok_or(Error::Refused(ErrorCode::LinkExpired))
}

/// Uses a token. Of several concurrent uses, one succeeds.
///
/// # Errors
/// `LINK_EXPIRED` when it was used, replaced or has expired in the meantime.
pub(crate) async fn consume(tx: &GlobalTx, token: &OneTimeToken) -> Result<()> {
    let condition = valid(tx.now()).add(Column::TokenHash.eq(token.token_hash.clone()));
    match tx.update_where(mark_used(tx), condition).await?.is_empty() {
        false => Ok(()),
        true => Err(ErrorCode::LinkExpired.refuse()),
    }
}

/// Revokes the tokens of a user with one of `purposes`, because the account has changed since they were created.
pub(crate) async fn revoke(tx: &GlobalTx, user: UserId, purposes: &[TokenPurpose]) -> Result<()> {
    let purposes = purposes.iter().map(|purpose| purpose.as_str());
    let condition = valid(tx.now()).add(Column::UserId.eq(user)).add(Column::Purpose.is_in(purposes));
    tx.update_where(mark_used(tx), condition).await.map(drop)
}

/// Revokes undo tokens that are newer than `token`. They could undo the return to its e-mail address.
pub(crate) async fn revoke_later_undos(tx: &GlobalTx, user: UserId, token: &OneTimeToken) -> Result<()> {
    let condition = valid(tx.now())
        .add(Column::UserId.eq(user))
        .add(Column::Purpose.eq(TokenPurpose::Undo.as_str()))
        .add(Column::CreatedAt.gt(token.created_at));
    tx.update_where(mark_used(tx), condition).await.map(drop)
}

/// Returns the users who can still undo a change away from this e-mail address. It stays reserved for them.
pub(crate) async fn reserved_for(tx: &GlobalTx, email: &EmailAddress) -> Result<Vec<UserId>> {
    let condition = valid(tx.now())
        .add(Column::Purpose.eq(TokenPurpose::Undo.as_str()))
        .add(Column::EmailCanonical.eq(email.key()));
    let reserving = tx.find::<Entity>().filter(condition).all_locked(Column::Id).await?;
    Ok(reserving.into_iter().filter_map(|token| token.user_id).collect())
}

fn mark_used(tx: &GlobalTx) -> entity::ActiveModel {
    entity::ActiveModel { used_at: Set(Some(tx.now())), updated_at: Set(tx.now()), ..Default::default() }
}

/// Returns the condition for tokens that are valid at the instant `now`.
fn valid(now: chrono::DateTime<chrono::Utc>) -> Condition {
    Condition::all().add(Column::UsedAt.is_null()).add(Column::ExpiresAt.gt(now))
}

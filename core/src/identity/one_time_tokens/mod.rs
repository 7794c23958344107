//! Tokens that are mailed: each proves a mailbox, once, until it expires. Their only home.
//!
//! Nothing secret is stored: a token is made from its row's id by a key ([`Mail`]), and the row keeps its hash. So a job
//! needs the id alone, and who reads the database can use nothing of what he reads.

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
pub(crate) use invitation::{issue_invitation, revoke_invitation};

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{OneTimeTokenId, UserId},
        text::EmailAddress,
    },
    storage::db::{Db, GlobalTx},
};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPurpose {
    /// To verify the address of a new account.
    Verify,
    /// To set a new password.
    Reset,
    /// To confirm a new address.
    Email,
    /// To undo the change of an address.
    Undo,
    /// To join an organization. About nobody's account: whoever is invited may have none.
    Invitation,
}

impl TokenPurpose {
    /// Every one.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Verify, Self::Reset, Self::Email, Self::Undo, Self::Invitation];
    /// Those by which somebody gets in, or on: they end where his sessions do.
    pub(crate) const MAILED_TO_ACT: &'static [Self] = &[Self::Verify, Self::Reset, Self::Email];

    /// As the table spells it.
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
    /// What it is good for.
    pub fn purpose(&self) -> Option<TokenPurpose> {
        TokenPurpose::ALL.iter().copied().find(|purpose| purpose.as_str() == self.purpose)
    }
}

/// Makes a token about `user` for the mailbox `email`. The older ones of its purpose are worth nothing from then on;
/// those that undo stay good, or who took an account over would end them by changing its address twice.
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

/// The row of a token that is still good for one of `purposes`. It is not used by this: [`consume`] does.
///
/// # Errors
/// `LINK_EXPIRED` for every other text: unknown, used, expired, or good for something else.
pub async fn find(db: &Db, token: &str, purposes: &[TokenPurpose]) -> Result<OneTimeToken> {
    #[expect(clippy::disallowed_methods, reason = "who follows a link is in no organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column((Entity, Asterisk))
        .from(Entity)
        .cond_where(good(tx.now()).add(Column::TokenHash.eq(email::hash(token))));
    let found: Vec<OneTimeToken> = tx.rows(&query).await?;
    let fits = |row: &OneTimeToken| row.purpose().is_some_and(|purpose| purposes.contains(&purpose));
    found.into_iter().find(fits).ok_or(Error::Refused(ErrorCode::LinkExpired))
}

/// Uses a token, once: of many at the same time one succeeds.
///
/// # Errors
/// `LINK_EXPIRED` when it was used, replaced or has expired meanwhile.
pub(crate) async fn consume(tx: &GlobalTx, token: &OneTimeToken) -> Result<()> {
    let condition = good(tx.now()).add(Column::TokenHash.eq(token.token_hash.clone()));
    match tx.update_where(spent(tx), condition).await?.is_empty() {
        false => Ok(()),
        true => Err(ErrorCode::LinkExpired.refuse()),
    }
}

/// Ends the tokens of a person that are good for `purposes`: they were made for a state that is no more.
pub(crate) async fn revoke(tx: &GlobalTx, user: UserId, purposes: &[TokenPurpose]) -> Result<()> {
    let purposes = purposes.iter().map(|purpose| purpose.as_str());
    let condition = good(tx.now()).add(Column::UserId.eq(user)).add(Column::Purpose.is_in(purposes));
    tx.update_where(spent(tx), condition).await.map(drop)
}

/// Ends what could undo the return to the address of `token`: changes made after it.
pub(crate) async fn revoke_later_undos(tx: &GlobalTx, user: UserId, token: &OneTimeToken) -> Result<()> {
    let condition = good(tx.now())
        .add(Column::UserId.eq(user))
        .add(Column::Purpose.eq(TokenPurpose::Undo.as_str()))
        .add(Column::CreatedAt.gt(token.created_at));
    tx.update_where(spent(tx), condition).await.map(drop)
}

/// Whose the address was, and may be again: those who can still undo the change away from it.
pub(crate) async fn reserved_for(tx: &GlobalTx, email: &EmailAddress) -> Result<Vec<UserId>> {
    let condition = good(tx.now())
        .add(Column::Purpose.eq(TokenPurpose::Undo.as_str()))
        .add(Column::EmailCanonical.eq(email.key()));
    let kept = tx.find::<Entity>().filter(condition).all_locked(Column::Id).await?;
    Ok(kept.into_iter().filter_map(|token| token.user_id).collect())
}

fn spent(tx: &GlobalTx) -> entity::ActiveModel {
    entity::ActiveModel { used_at: Set(Some(tx.now())), updated_at: Set(tx.now()), ..Default::default() }
}

/// What makes a token good at the instant `now`.
fn good(now: chrono::DateTime<chrono::Utc>) -> Condition {
    Condition::all().add(Column::UsedAt.is_null()).add(Column::ExpiresAt.gt(now))
}

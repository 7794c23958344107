//! Tokens of invitations. They refer to an invitation of an organization instead of an account.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

use super::{Column, EmailTokens, OneTimeToken, TokenPurpose, email, entity, mark_used, valid};
use crate::{
    Result,
    base::{
        ids::{InvitationId, OneTimeTokenId},
        text::EmailAddress,
    },
    storage::db::GlobalTx,
};

/// Creates the token of an invitation, for the e-mail address `email`. Revokes its previous token.
pub(crate) async fn issue_invitation(
    tx: &GlobalTx,
    mail: &EmailTokens,
    invitation: InvitationId,
    email: &EmailAddress,
) -> Result<OneTimeToken> {
    revoke_invitation(tx, invitation, email.key()).await?;
    let (id, now) = (OneTimeTokenId::new(tx.now()), tx.now());
    tx.insert(entity::ActiveModel {
        id: Set(id),
        user_id: Set(None),
        email: Set(email.as_str().to_owned()),
        email_canonical: Set(email.key().to_owned()),
        purpose: Set(TokenPurpose::Invitation.as_str().to_owned()),
        subject_id: Set(Some(invitation.0)),
        token_hash: Set(email::hash(mail.token(TokenPurpose::Invitation, id).expose())),
        used_at: Set(None),
        expires_at: Set(now + mail.lifetime(TokenPurpose::Invitation)),
        created_at: Set(now),
        updated_at: Set(now),
    })
    .await
}

/// Revokes the token of an invitation to the canonical e-mail address `email`.
pub(crate) async fn revoke_invitation(tx: &GlobalTx, invitation: InvitationId, email: &str) -> Result<()> {
    tx.update_where(mark_used(tx), valid_of_invitation(tx.now(), invitation, email)).await.map(drop)
}

/// Returns the condition for the token of an invitation to the canonical e-mail address `email` that is valid at `now`.
pub(crate) fn valid_of_invitation(now: DateTime<Utc>, invitation: InvitationId, email: &str) -> Condition {
    valid(now)
        // Implied by the invitation, but this column has an index.
        .add(Column::EmailCanonical.eq(email))
        .add(Column::Purpose.eq(TokenPurpose::Invitation.as_str()))
        .add(Column::SubjectId.eq(invitation.0))
}

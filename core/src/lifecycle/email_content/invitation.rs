//! The e-mail of an invitation, whose recipient may have no account.

use sea_orm::{ColumnTrait, sea_query::ExprTrait};

use super::{Composer, Composition, EmailContent, InvitationNames, Link, ascii_address, name, skip_missing};
use crate::{
    Result,
    base::ids::OneTimeTokenId,
    identity::{
        one_time_tokens::{self, OneTimeToken},
        users::{self, User},
    },
    tenancy::invitations::{self, InvitationStatus},
};

impl Composer<'_> {
    /// Composes the e-mail while the invitation is pending, in the language of the recipient's account, or else of the
    /// inviter.
    pub(super) async fn about_invitation(&self, token: OneTimeTokenId) -> Result<Composition> {
        let token = one_time_tokens::Column::Id.eq(token);
        let Some(token) = self.one::<OneTimeToken>(one_time_tokens::Entity, token).await? else {
            return Ok(skip_missing());
        };
        let to = ascii_address(&token.email, &token.email_canonical);
        let subject = invitations::Column::Id.eq(token.subject_id);
        let found: Option<invitations::Invitation> = self.one(invitations::Entity, subject).await?;
        let view = invitations::with_details(&self.tx, found.into_iter().collect()).await?;
        let skip = |reason| Ok(Composition::Skip { to: to.clone(), reason });
        let Some(view) = view.into_iter().next() else {
            return skip("the organization was deleted");
        };
        match view.invitation.status_at(self.tx.now()) {
            InvitationStatus::Pending if token.used_at.is_none() => {}
            InvitationStatus::Pending => return skip("the invitation was sent again"),
            _ => return skip("the invitation was answered, withdrawn, or has expired"),
        }
        let Some(url) = self.mail.link(self.public_url, &token) else {
            return skip("its link was created with another INSULA_SECRET_KEY");
        };
        let is_recipient = users::Column::EmailCanonical.eq(token.email_canonical.as_str());
        let recipient: Option<User> =
            self.one(users::Entity, is_recipient.and(users::Column::DeletedAt.is_null())).await?;
        let recipient = recipient.filter(|recipient| recipient.email_verified_at.is_some());
        let lifetime = (token.expires_at - token.created_at).to_std().unwrap_or_default();
        Ok(Composition::Send(EmailContent {
            to,
            template: self.template,
            locale: recipient.as_ref().unwrap_or(&view.inviter).locale.clone(),
            name: recipient.as_ref().and_then(name),
            link: Some(Link { url, lifetime, expires_at: token.expires_at }),
            device: None,
            until: None,
            invitation: Some(Box::new(InvitationNames::new(
                &view.organization.name,
                &view.inviter.display_name(),
            ))),
        }))
    }
}

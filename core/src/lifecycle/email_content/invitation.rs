//! The mail of an invitation: to somebody who may have no account, about what belongs to an organization.

use sea_orm::{ColumnTrait, sea_query::ExprTrait};

use super::{Composed, Composer, EmailContent, InvitationNames, Link, gone, mailbox, name};
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
    /// While it can be accepted. Whoever's mailbox it is hears of it in his language, where he has one here; otherwise in
    /// that of whoever invites.
    pub(super) async fn of_invitation(&self, token: OneTimeTokenId) -> Result<Composed> {
        let token = one_time_tokens::Column::Id.eq(token);
        let Some(token) = self.one::<OneTimeToken>(one_time_tokens::Entity, token).await? else {
            return Ok(gone());
        };
        let to = mailbox(&token.email, &token.email_canonical);
        let subject = invitations::Column::Id.eq(token.subject_id);
        let found: Option<invitations::Invitation> = self.one(invitations::Entity, subject).await?;
        let opened = invitations::with_details(&self.tx, found.into_iter().collect()).await?;
        let needless = |reason| Ok(Composed::Skip { to: to.clone(), reason });
        let Some(opened) = opened.into_iter().next() else {
            return needless("the organization was deleted");
        };
        match opened.invitation.status_at(self.tx.now()) {
            InvitationStatus::Pending if token.used_at.is_none() => {}
            InvitationStatus::Pending => return needless("the invitation was sent again"),
            _ => return needless("the invitation was answered, withdrawn, or has expired"),
        }
        let Some(url) = self.mail.link(self.public_url, &token) else {
            return needless("its link was created with another INSULA_SECRET_KEY");
        };
        let his = users::Column::EmailCanonical.eq(token.email_canonical.as_str());
        let person: Option<User> =
            self.one(users::Entity, his.and(users::Column::DeletedAt.is_null())).await?;
        let person = person.filter(|person| person.email_verified_at.is_some());
        let lifetime = (token.expires_at - token.created_at).to_std().unwrap_or_default();
        Ok(Composed::Send(EmailContent {
            to,
            template: self.template,
            locale: person.as_ref().unwrap_or(&opened.inviter).locale.clone(),
            name: person.as_ref().and_then(name),
            link: Some(Link { url, lifetime, expires_at: token.expires_at }),
            device: None,
            until: None,
            invitation: Some(Box::new(InvitationNames::new(
                &opened.organization.name,
                &opened.inviter.display_name(),
            ))),
        }))
    }
}

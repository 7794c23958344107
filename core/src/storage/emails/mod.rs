//! The delivery status of e-mails. The e-mails themselves are not stored, because they contain links with tokens. In
//! development, if none are sent, they are captured in memory.

mod entity;
mod dev_inbox;

use sea_orm::{ColumnTrait, Condition};

pub use dev_inbox::{CapturedEmail, DevInbox};
pub(crate) use entity::{ActiveModel, Column, Entity};
pub use entity::{DeliveryStatus, Model as Email};

use crate::{
    Result,
    base::{
        ids::OrgId,
        pagination::{Page, PageRequest},
        text::EmailAddress,
    },
    storage::db::{Db, SortKey},
};

/// An attempt to send an e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// E-mail address of the recipient; empty if the recipient no longer exists.
    pub to: String,
    /// Name of the template.
    pub template: &'static str,
    /// `Message-ID`, with its angle brackets.
    pub message_id: String,
    /// Delivery status after the attempt.
    pub status: DeliveryStatus,
    /// Why it was not sent, for operators, without secrets.
    pub error: Option<String>,
}

/// A filter of e-mails. `None` accepts all values.
#[derive(Clone, Debug, Default)]
pub struct EmailFilter {
    /// Only e-mails with this status.
    pub status: Option<DeliveryStatus>,
    /// Only e-mails with this template.
    pub template: Option<String>,
    /// Only e-mails to this address, in its canonical form or as it is.
    pub to: Option<EmailAddress>,
    /// Only e-mails of this organization; [`OrgId::PLATFORM`] for e-mails of the platform.
    pub organization: Option<OrgId>,
}

/// The sort keys of the list of e-mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailKey {
    /// When it was first attempted.
    CreatedAt,
}

impl SortKey for EmailKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
        }
    }
}

/// One page of the e-mails of all organizations.
///
/// # Errors
/// Database errors.
pub async fn list(db: &Db, filter: EmailFilter, request: PageRequest<EmailKey>) -> Result<Page<Email>> {
    let has_recipient = |to: EmailAddress| Column::To.is_in([to.key().to_owned(), to.into()]);
    let condition = Condition::all()
        .add_option(filter.status.map(|status| Column::Status.eq(status)))
        .add_option(filter.template.map(|template| Column::Template.eq(template)))
        .add_option(filter.to.map(has_recipient))
        .add_option(filter.organization.map(|org| Column::OrganizationId.eq(org)));
    #[expect(clippy::disallowed_methods, reason = "superusers read the e-mails of every organization")]
    db.unscoped().await?.page(condition, request).await
}

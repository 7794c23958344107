//! What became of every mail. The mails themselves are nowhere kept, since they hold links that act; but in development,
//! where none leaves, in memory.

mod entity;
mod dev_inbox;

use sea_orm::{ColumnTrait, Condition};

pub use dev_inbox::{CapturedEmail, DevInbox};
pub(crate) use entity::{ActiveModel, Column, Entity};
pub use entity::{Model as Email, Status};

use crate::{
    Result,
    base::{
        ids::OrgId,
        pagination::{Page, PageRequest},
        text::EmailAddress,
    },
    storage::db::{Db, SortKey},
};

/// One attempt to send a mail, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The mailbox; empty where nobody is left to be written to.
    pub to: String,
    /// The name of the template.
    pub template: &'static str,
    /// Its `Message-ID`, with its angle brackets.
    pub message_id: String,
    /// What came of it.
    pub status: Status,
    /// Why it was not sent, in words for operators; nothing secret.
    pub error: Option<String>,
}

/// Which mails are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct EmailFilter {
    /// Those of which this became.
    pub status: Option<Status>,
    /// Those of this template.
    pub template: Option<String>,
    /// Those to this mailbox, written as it is or in its canonical form.
    pub to: Option<EmailAddress>,
    /// Those of this organization; [`OrgId::PLATFORM`]: those of none.
    pub organization: Option<OrgId>,
}

/// What the list of mails can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailKey {
    /// When it was tried first.
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

/// One page of the mails to everybody.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(db: &Db, filter: EmailFilter, listing: PageRequest<EmailKey>) -> Result<Page<Email>> {
    let spelled = |to: EmailAddress| Column::To.is_in([to.key().to_owned(), to.into()]);
    let wanted = Condition::all()
        .add_option(filter.status.map(|status| Column::Status.eq(status)))
        .add_option(filter.template.map(|template| Column::Template.eq(template)))
        .add_option(filter.to.map(spelled))
        .add_option(filter.organization.map(|org| Column::OrganizationId.eq(org)));
    #[expect(clippy::disallowed_methods, reason = "operators look at the mails of every organization")]
    db.unscoped().await?.page(wanted, listing).await
}

//! Rows of `emails`, one for each e-mail that was attempted. The id is the id of its job.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{JobId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// The delivery status of an e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum DeliveryStatus {
    /// The mail server accepted it.
    #[sea_orm(string_value = "sent")]
    Sent,
    /// The mail server did not accept it yet. It is tried again.
    #[sea_orm(string_value = "deferred")]
    Deferred,
    /// The mail server refused it permanently.
    #[sea_orm(string_value = "bounced")]
    Bounced,
    /// It was given up after many attempts.
    #[sea_orm(string_value = "dead")]
    Dead,
    /// It was not sent, because its link has expired, its recipient no longer exists, or no e-mail is sent here.
    #[sea_orm(string_value = "suppressed")]
    Suppressed,
}

impl DeliveryStatus {
    /// All statuses.
    pub const ALL: &'static [Self] =
        &[Self::Sent, Self::Deferred, Self::Bounced, Self::Dead, Self::Suppressed];

    /// The status in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Dead => "dead",
            Self::Suppressed => "suppressed",
        }
    }
}

/// An e-mail.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "emails")]
pub struct Model {
    /// Id of the e-mail and of its job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// Organization of the job, or [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// E-mail address of the recipient.
    pub to: String,
    /// Name of the template.
    pub template: String,
    /// Delivery status.
    pub status: DeliveryStatus,
    /// `Message-ID` (RFC 5322 §3.6.4), the same for all attempts.
    pub message_id: String,
    /// Number of attempts.
    pub attempts: i32,
    /// Last error of the mail server; `None` if it accepted the e-mail.
    pub last_error: Option<String>,
    /// When the mail server accepted it.
    pub sent_at: Option<DateTimeUtc>,
    /// Trace id of the request that caused it.
    pub trace_id: Option<String>,
    /// When it was first attempted.
    pub created_at: DateTimeUtc,
    /// When it was last attempted.
    pub updated_at: DateTimeUtc,
}

// An e-mail can outlive the rows that it is about.
without_relations!();

tenant_table!("email", deleted: None, affects_access: false);

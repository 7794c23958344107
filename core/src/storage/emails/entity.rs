//! Rows of `emails`: one for each mail that was attempted. Its id is that of its job.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{JobId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Status {
    /// The mail server took it.
    #[sea_orm(string_value = "sent")]
    Sent,
    /// Not yet: it is tried again.
    #[sea_orm(string_value = "deferred")]
    Deferred,
    /// The mail server refused it for good.
    #[sea_orm(string_value = "bounced")]
    Bounced,
    /// Given up after trying for long.
    #[sea_orm(string_value = "dead")]
    Dead,
    /// Not sent on purpose: its link has expired, its person is gone, or nothing sends mail here.
    #[sea_orm(string_value = "suppressed")]
    Suppressed,
}

impl Status {
    /// Every one.
    pub const ALL: &'static [Self] =
        &[Self::Sent, Self::Deferred, Self::Bounced, Self::Dead, Self::Suppressed];

    /// As it is stored and shown.
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

/// One mail.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "emails")]
pub struct Model {
    /// Its address, and that of the job that sent it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// For whom the job was; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// The mailbox.
    pub to: String,
    /// What it says: the name of its template.
    pub template: String,
    /// What became of it.
    pub status: Status,
    /// Its `Message-ID` (RFC 5322 §3.6.4), the same for every attempt.
    pub message_id: String,
    /// How often it was tried.
    pub attempts: i32,
    /// What the mail server said last, where it did not take it.
    pub last_error: Option<String>,
    /// When the mail server took it.
    pub sent_at: Option<DateTimeUtc>,
    /// The trace of the request that asked for it.
    pub trace_id: Option<String>,
    /// When it was tried first.
    pub created_at: DateTimeUtc,
    /// When it was tried last.
    pub updated_at: DateTimeUtc,
}

// An email outlives what it is about.
without_relations!();

tenant_table!("email", deleted: None, affects_access: false);

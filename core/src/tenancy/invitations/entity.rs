//! Rows of `invitations`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{InvitationId, MemberId, OrgId, UserId},
    identity::users,
    storage::db::tenant_table,
};

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum InvitationStatus {
    /// Nobody has answered yet.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// Whoever was invited joined by it.
    #[sea_orm(string_value = "accepted")]
    Accepted,
    /// Whoever was invited said no.
    #[sea_orm(string_value = "declined")]
    Declined,
    /// The organization took it back.
    #[sea_orm(string_value = "revoked")]
    Revoked,
    /// Nobody answered in time.
    #[sea_orm(string_value = "expired")]
    Expired,
}

impl InvitationStatus {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// An invitation into one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    /// The invitation; the same, however often it is sent.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationId,
    /// Into which organization.
    pub organization_id: OrgId,
    /// Whose mailbox, as it was typed.
    pub email: String,
    /// What uniqueness of the address is judged by.
    pub email_canonical: String,
    /// Where it stands; one whose time is over may still stand at `pending`.
    pub status: InvitationStatus,
    /// Which member invites; `None`: an operator of the platform.
    pub invited_by: Option<MemberId>,
    /// Who that is.
    pub inviter_id: UserId,
    /// Worth nothing from then on, unless it is sent again.
    pub expires_at: DateTimeUtc,
    /// How often it was sent again.
    pub resend_count: i32,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Where it stands at the instant `now`, whether anybody has written down yet that its time is over.
    pub fn status_at(&self, now: DateTimeUtc) -> InvitationStatus {
        match self.status {
            InvitationStatus::Pending if self.expires_at <= now => InvitationStatus::Expired,
            status => status,
        }
    }
}

/// The person who invites.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// Who it is.
    #[sea_orm(belongs_to = "users::Entity", from = "Column::InviterId", to = "users::Column::Id")]
    Inviter,
}

impl Related<users::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Inviter.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

tenant_table!("invitation", deleted: None, affects_access: false);

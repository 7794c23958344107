//! Rows of `invitations`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{InvitationId, MemberId, OrgId, UserId},
    identity::users,
    storage::db::tenant_table,
};

/// Status of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum InvitationStatus {
    /// Neither answered nor revoked.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// The recipient joined the organization.
    #[sea_orm(string_value = "accepted")]
    Accepted,
    /// The recipient declined.
    #[sea_orm(string_value = "declined")]
    Declined,
    /// The organization revoked it.
    #[sea_orm(string_value = "revoked")]
    Revoked,
    /// It was not answered in time.
    #[sea_orm(string_value = "expired")]
    Expired,
}

impl InvitationStatus {
    /// Returns the spelling in the database and the API.
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

/// An invitation to an organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    /// UUIDv7. It stays the same when the invitation is sent again.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationId,
    /// The organization to join.
    pub organization_id: OrgId,
    /// E-mail address of the recipient, as typed.
    pub email: String,
    /// Canonical form of `email`, for uniqueness.
    pub email_canonical: String,
    /// The stored status. An overdue invitation can still be `pending`; see [`Model::status_at`].
    pub status: InvitationStatus,
    /// The member who sent it. `None` for a superuser.
    pub invited_by: Option<MemberId>,
    /// The user who sent it.
    pub inviter_id: UserId,
    /// When it expires unless it is sent again.
    pub expires_at: DateTimeUtc,
    /// How often it was sent again.
    pub resend_count: i32,
    /// Incremented by each change.
    pub version: i64,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Returns the status at the instant `now`. An overdue invitation is `Expired`, even if that is not stored yet.
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

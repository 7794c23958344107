//! Schemas of invitations.

use chrono::{DateTime, Utc};
use insula_core::{
    Error,
    base::{
        error::{ErrorCode, FieldErrors},
        text,
    },
    tenancy::invitations::{InvitationDetails, InvitationKey, InvitationStatus, NewInvitation},
};
use poem_openapi::{Enum, Object};
use serde::Serialize;
use uuid::Uuid;

use super::super::members::RoleSummary;
use crate::{
    http::{DisplayName, Email, sort_keys},
    problem::Result,
};

crate::texts! {
    /// A role of the organization, by key or id.
    RoleName { length: 1..=50, example: "member" }
    /// An e-mail address as sent in the request. In a bulk request, an invalid one fails
    /// only its own invitation.
    GivenEmail { length: 3..=text::EmailAddress::MAX, example: "ada@example.com" }
}

sort_keys! {
    pub(super) InvitationSort of InvitationKey;
    created_at: CreatedAt,
    expires_at: ExpiresAt,
    email: Email,
}

/// A new invitation to an organization.
#[derive(Object)]
pub(super) struct InvitationCreate {
    /// E-mail address of the person to invite.
    pub(super) email: GivenEmail,
    /// Roles that the invited person gets, by keys or ids. You cannot grant permissions that you do not have.
    /// With an empty list, the new member has no permissions yet.
    #[oai(validator(max_items = 20))]
    pub(super) roles: Vec<RoleName>,
}

/// New invitations, each with a result of its own.
#[derive(Object)]
pub(super) struct InvitationBatchCreate {
    /// The invitations to create, 1 to 100.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub(super) invitations: Vec<InvitationCreate>,
}

/// An invitation to an organization. Its token is only in the e-mail.
#[derive(Object, Serialize)]
pub(super) struct Invitation {
    /// Unique id of the invitation. It stays the same when the invitation is resent.
    pub(super) id: Uuid,
    /// Id of the organization to join.
    pub(super) organization_id: Uuid,
    /// E-mail address of the invited person.
    pub(super) email: Email,
    /// Status of the invitation.
    pub(super) status: InvitationStatusName,
    /// Roles that the invited person gets.
    pub(super) roles: Vec<RoleSummary>,
    /// Who sent the invitation, or resent it last.
    pub(super) invited_by: Inviter,
    /// When the invitation expires. It cannot be accepted after that.
    pub(super) expires_at: DateTime<Utc>,
    /// How many times the invitation was resent.
    pub(super) resend_count: i32,
    /// Version number, increased by every change. It is also the `ETag`.
    pub(super) version: i64,
    /// When the invitation was created.
    pub(super) created_at: DateTime<Utc>,
    /// When the invitation was last changed.
    pub(super) updated_at: DateTime<Utc>,
}

/// The sender of an invitation.
#[derive(Object, Serialize)]
pub(super) struct Inviter {
    /// Member id of the sender; `null` if the sender is a superuser.
    #[oai(nullable)]
    pub(super) member_id: Option<Uuid>,
    /// Display name of the sender.
    pub(super) display_name: DisplayName,
}

/// Status of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "InvitationStatus")]
#[serde(rename_all = "snake_case")]
pub(super) enum InvitationStatusName {
    /// The invitation waits for a response.
    Pending,
    /// The invited person accepted and is a member.
    Accepted,
    /// The invited person declined.
    Declined,
    /// The organization revoked the invitation.
    Revoked,
    /// There was no response in time. The invitation can be resent.
    Expired,
}

impl TryFrom<InvitationCreate> for NewInvitation {
    type Error = Error;

    fn try_from(draft: InvitationCreate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let email = fields.parse("email", text::EmailAddress::parse(&draft.email.0));
        fields.into_result()?;
        let roles = draft.roles.into_iter().map(String::from).collect();
        email.map(|email| Self { email, roles }).ok_or(ErrorCode::ValidationFailed.refuse())
    }
}

impl Invitation {
    /// The invitation as it is at the instant `now`.
    pub(super) fn of(
        InvitationDetails { invitation, inviter, roles }: InvitationDetails,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: invitation.id.0,
            organization_id: invitation.organization_id.0,
            status: invitation.status_at(now).into(),
            email: Email(invitation.email),
            roles: roles.into_iter().map(RoleSummary::from).collect(),
            invited_by: Inviter {
                member_id: invitation.invited_by.map(|member| member.0),
                display_name: DisplayName(inviter.display_name()),
            },
            expires_at: invitation.expires_at,
            resend_count: invitation.resend_count,
            version: invitation.version,
            created_at: invitation.created_at,
            updated_at: invitation.updated_at,
        }
    }
}

impl From<InvitationStatus> for InvitationStatusName {
    fn from(status: InvitationStatus) -> Self {
        match status {
            InvitationStatus::Pending => Self::Pending,
            InvitationStatus::Accepted => Self::Accepted,
            InvitationStatus::Declined => Self::Declined,
            InvitationStatus::Revoked => Self::Revoked,
            InvitationStatus::Expired => Self::Expired,
        }
    }
}

impl From<InvitationStatusName> for InvitationStatus {
    fn from(status: InvitationStatusName) -> Self {
        match status {
            InvitationStatusName::Pending => Self::Pending,
            InvitationStatusName::Accepted => Self::Accepted,
            InvitationStatusName::Declined => Self::Declined,
            InvitationStatusName::Revoked => Self::Revoked,
            InvitationStatusName::Expired => Self::Expired,
        }
    }
}

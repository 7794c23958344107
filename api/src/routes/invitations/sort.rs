//! Sort orders of the list of invitations.

use insula_core::{base::pagination::Sort, tenancy::invitations::InvitationKey};
use poem_openapi::Enum;

/// Sort order. `-` means descending.
#[derive(Clone, Copy, Debug, Enum)]
pub(super) enum InvitationSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    #[oai(rename = "expires_at")]
    ExpiresAt,
    #[oai(rename = "-expires_at")]
    ExpiresAtDescending,
    #[oai(rename = "email")]
    Email,
    #[oai(rename = "-email")]
    EmailDescending,
}

impl From<InvitationSort> for Sort<InvitationKey> {
    fn from(sort: InvitationSort) -> Self {
        let (key, descending) = match sort {
            InvitationSort::CreatedAt => (InvitationKey::CreatedAt, false),
            InvitationSort::CreatedAtDescending => (InvitationKey::CreatedAt, true),
            InvitationSort::ExpiresAt => (InvitationKey::ExpiresAt, false),
            InvitationSort::ExpiresAtDescending => (InvitationKey::ExpiresAt, true),
            InvitationSort::Email => (InvitationKey::Email, false),
            InvitationSort::EmailDescending => (InvitationKey::Email, true),
        };
        Self { key, descending }
    }
}

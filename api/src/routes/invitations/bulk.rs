//! What became of several invitations: each has the outcome it would have got by itself.

use insula_core::Error;
use poem_openapi::Object;
use serde::Serialize;

use super::{GivenEmail, Invitation};
use crate::http::BulkError;

/// What became of several invitations.
#[derive(Object, Serialize)]
pub(super) struct InvitationOutcomes {
    /// In the order given.
    pub(super) data: Vec<InvitationOutcome>,
}

/// What became of one of several invitations.
#[derive(Object, Serialize)]
pub(super) struct InvitationOutcome {
    /// The address, as it was given.
    email: GivenEmail,
    /// The status it would have got by itself.
    status: u16,
    /// The invitation; `null` where it was refused.
    #[oai(nullable)]
    pub(super) invitation: Option<Invitation>,
    /// Why it was refused; `null` where it was not.
    #[oai(nullable)]
    error: Option<BulkError>,
}

impl InvitationOutcome {
    pub(super) fn of(email: GivenEmail, outcome: Result<Invitation, Error>) -> Self {
        match outcome {
            Ok(invitation) => Self { email, status: 201, invitation: Some(invitation), error: None },
            Err(error) => {
                let (status, refusal) = BulkError::of(error);
                Self { email, status, invitation: None, error: Some(refusal) }
            }
        }
    }
}

//! Results of a bulk request for invitations: each invitation has a result of its own.

use insula_core::Error;
use poem_openapi::Object;
use serde::Serialize;

use super::schema::{GivenEmail, Invitation};
use crate::http::BulkError;

/// Results of a bulk request for invitations.
#[derive(Object, Serialize)]
pub(super) struct InvitationOutcomes {
    /// One result per invitation, in the order of the request.
    pub(super) data: Vec<InvitationOutcome>,
}

/// Result for one invitation of a bulk request.
#[derive(Object, Serialize)]
pub(super) struct InvitationOutcome {
    /// The e-mail address, as it was sent in the request.
    email: GivenEmail,
    /// HTTP status of this invitation, as a request of its own would have got.
    status: u16,
    /// The invitation; `null` if it was refused.
    #[oai(nullable)]
    pub(super) invitation: Option<Invitation>,
    /// Why the invitation was refused; `null` if it was created.
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

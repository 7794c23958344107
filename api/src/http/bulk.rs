//! The response to a bulk request, in which each item has a result of its own.

use std::marker::PhantomData;

use insula_core::{base::error::Error, storage::idempotency};
use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::{
    created_response::{mark_replay, replay_header},
    responses::{JSON, bytes},
};

/// 207 (RFC 4918 §13) with a result per item. It is stored and returned again for a retry with the same
/// idempotency key.
pub struct BulkResponse<T, const STATUS: u16 = 207> {
    stored: idempotency::StoredResponse,
    is_replay: bool,
    body: PhantomData<fn() -> T>,
}

/// 200 with one result for the whole request, stored like [`BulkResponse`].
pub type Replayable<T> = BulkResponse<T, 200>;

impl<T: Serialize, const STATUS: u16> BulkResponse<T, STATUS> {
    /// Serializes the body.
    ///
    /// # Errors
    /// Only when the body cannot be serialized.
    pub fn new(body: &T) -> Result<Self, Error> {
        let stored =
            idempotency::StoredResponse { status: STATUS, location: None, etag: None, body: bytes(body)? };
        Ok(Self { stored, is_replay: false, body: PhantomData })
    }
}

impl<T, const STATUS: u16> BulkResponse<T, STATUS> {
    /// The stored response of an earlier request.
    pub fn again(stored: idempotency::StoredResponse) -> Self {
        Self { stored, is_replay: true, body: PhantomData }
    }

    /// The response to store.
    pub fn stored(&self) -> &idempotency::StoredResponse {
        &self.stored
    }
}

impl<T: Send, const STATUS: u16> IntoResponse for BulkResponse<T, STATUS> {
    fn into_response(self) -> Response {
        let response = Response::builder()
            .status(StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK))
            .content_type(JSON);
        let mut response = response.body(self.stored.body);
        mark_replay(&mut response, self.is_replay);
        response
    }
}

impl<T: Type + Serialize, const STATUS: u16> ApiResponse for BulkResponse<T, STATUS> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The results, one per item. Each item has a status of its own.",
                status: Some(STATUS),
                status_range: None,
                content: vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }],
                headers: vec![replay_header()],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

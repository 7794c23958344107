//! The answer to a request about several things, each of which has an outcome of its own.

use std::marker::PhantomData;

use insula_core::{base::error::Error, storage::idempotency};
use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::responses::{JSON, bytes};

/// 207 (RFC 4918 §13) with the outcome of each: made once, remembered, and given again to who asks again.
pub struct BulkResponse<T, const STATUS: u16 = 207> {
    stored: idempotency::StoredResponse,
    body: PhantomData<fn() -> T>,
}

/// 200 with the outcome of all: remembered likewise.
pub type Replayable<T> = BulkResponse<T, 200>;

impl<T: Serialize, const STATUS: u16> BulkResponse<T, STATUS> {
    /// # Errors
    /// Only when the body cannot be written.
    pub fn new(body: &T) -> Result<Self, Error> {
        Ok(Self::again(idempotency::StoredResponse {
            status: STATUS,
            location: None,
            etag: None,
            body: bytes(body)?,
        }))
    }
}

impl<T, const STATUS: u16> BulkResponse<T, STATUS> {
    /// The answer given before.
    pub fn again(stored: idempotency::StoredResponse) -> Self {
        Self { stored, body: PhantomData }
    }

    /// What is remembered of it.
    pub fn stored(&self) -> &idempotency::StoredResponse {
        &self.stored
    }
}

impl<T: Send, const STATUS: u16> IntoResponse for BulkResponse<T, STATUS> {
    fn into_response(self) -> Response {
        let response = Response::builder()
            .status(StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK))
            .content_type(JSON);
        response.body(self.stored.body)
    }
}

impl<T: Type + Serialize, const STATUS: u16> ApiResponse for BulkResponse<T, STATUS> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Each has an outcome of its own.",
                status: Some(STATUS),
                status_range: None,
                content: vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

//! The response with a new resource, which is stored for retries.

use std::marker::PhantomData;

use insula_core::{base::error::Error, storage::idempotency};
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::{
    EntityTag,
    responses::{JSON, bytes, response, text_header},
};

/// 201 with `Location`, `ETag` and a body. It is stored and returned again for a retry with the same
/// idempotency key.
pub struct CreatedResponse<T> {
    stored: idempotency::StoredResponse,
    is_replay: bool,
    body: PhantomData<fn() -> T>,
}

impl<T: Serialize> CreatedResponse<T> {
    /// The response for something new at `location`.
    ///
    /// # Errors
    /// Only when the body cannot be serialized.
    pub fn created(location: String, tag: EntityTag, body: &T) -> Result<Self, Error> {
        let stored = idempotency::StoredResponse {
            status: StatusCode::CREATED.as_u16(),
            location: Some(location),
            etag: Some(tag.to_string()),
            body: bytes(body)?,
        };
        Ok(Self { stored, is_replay: false, body: PhantomData })
    }
}

impl<T> CreatedResponse<T> {
    /// The stored response of an earlier request.
    pub fn again(stored: idempotency::StoredResponse) -> Self {
        Self { stored, is_replay: true, body: PhantomData }
    }

    /// The response to store.
    pub fn stored(&self) -> &idempotency::StoredResponse {
        &self.stored
    }
}

impl<T: Send> IntoResponse for CreatedResponse<T> {
    fn into_response(self) -> Response {
        let idempotency::StoredResponse { status, location, etag, body } = self.stored;
        let mut response = Response::builder()
            .status(StatusCode::from_u16(status).unwrap_or(StatusCode::CREATED))
            .content_type(JSON)
            .body(body);
        for (name, value) in [(header::LOCATION, location), (header::ETAG, etag)] {
            if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
        mark_replay(&mut response, self.is_replay);
        response
    }
}

impl<T: Type + Serialize> ApiResponse for CreatedResponse<T> {
    fn meta() -> MetaResponses {
        let location = text_header("Location", "Path of the new resource.");
        response::<T>(
            StatusCode::CREATED,
            "Created",
            vec![location, text_header("ETag", "Version of the new resource."), replay_header()],
        )
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Tells clients that the response is the stored one of an earlier request with the same idempotency key.
pub(super) fn mark_replay(response: &mut Response, is_replay: bool) {
    if is_replay {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
}

/// The header of a response that is stored for retries.
pub(super) fn replay_header() -> MetaHeader {
    let description =
        "`true` if this is the stored response of an earlier request with the same `Idempotency-Key`.";
    MetaHeader { required: false, ..text_header("Idempotency-Replayed", description) }
}

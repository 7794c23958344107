//! Responses: serialized by serde directly to bytes, documented by poem-openapi.

use std::fmt;

use insula_core::base::error::Error;
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::{EntityTag, IfNoneMatch, etag};

pub(super) const JSON: &str = "application/json";

/// 200 with a body.
pub struct JsonResponse<T>(pub T);

/// 200 with a body and its `ETag`, or 304 if the client has the current version.
pub enum WithEtag<T, Tag = EntityTag> {
    /// The client has the current version (RFC 9110 §15.4.5).
    Unchanged(Tag),
    /// The current version.
    Present(Tag, T),
}

impl<T, Tag: fmt::Display> WithEtag<T, Tag> {
    /// The current version, or 304 if `known` contains its tag.
    pub fn new(tag: Tag, known: Option<IfNoneMatch>, body: impl FnOnce() -> T) -> Self {
        match known.is_some_and(|known| known.has(&tag)) {
            true => Self::Unchanged(tag),
            false => Self::Present(tag, body()),
        }
    }
}

/// 204 without a body.
pub struct NoContent;

/// A response that sets cookies.
pub struct WithCookies<R> {
    /// The response without cookies.
    pub reply: R,
    /// Values of `Set-Cookie`.
    pub cookies: Vec<HeaderValue>,
}

/// 202 with the requested resource, which is completed later.
pub struct AcceptedJob<T>(pub T);

/// 207 with a result per item, in the order of the request (RFC 4918 §13).
pub struct MultiStatus<T>(pub T);

/// 202 with only a message.
#[derive(Clone, Copy)]
pub struct Accepted(pub &'static str);

/// The response of a completed operation, or 202 if it is completed later.
pub enum OrAccepted<T> {
    /// The operation is completed.
    Done(T),
    /// The operation is accepted.
    Accepted(Accepted),
}

/// Confirmation that a request was accepted.
#[derive(Object, Serialize)]
struct Acceptance {
    /// Message for users: what happens next, and what to do.
    message: Sentence,
}

crate::texts! {
    /// A message for users.
    Sentence { length: 1..=500, example: "If an account with this e-mail address exists, we have sent an e-mail. Check your inbox." }
}

pub(super) fn bytes<T: Serialize>(body: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, body)
        .map_err(|_| Error::Internal("a response cannot be serialized as JSON"))?;
    Ok(bytes)
}

fn json<T: Serialize>(body: &T) -> Response {
    match bytes(body) {
        Ok(bytes) => Response::builder().content_type(JSON).body(bytes),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into(),
    }
}

impl<T: Serialize + Send> IntoResponse for JsonResponse<T> {
    fn into_response(self) -> Response {
        json(&self.0)
    }
}

impl<T: Serialize + Send> IntoResponse for AcceptedJob<T> {
    fn into_response(self) -> Response {
        let mut response = json(&self.0);
        response.set_status(StatusCode::ACCEPTED);
        response
    }
}

impl<T: Serialize + Send> IntoResponse for MultiStatus<T> {
    fn into_response(self) -> Response {
        let mut response = json(&self.0);
        response.set_status(StatusCode::MULTI_STATUS);
        response
    }
}

impl<T: Serialize + Send, Tag: fmt::Display + Send> IntoResponse for WithEtag<T, Tag> {
    fn into_response(self) -> Response {
        let (tag, mut response) = match self {
            Self::Unchanged(tag) => (tag, StatusCode::NOT_MODIFIED.into()),
            Self::Present(tag, body) => (tag, json(&body)),
        };
        response.headers_mut().insert(header::ETAG, etag::header(&tag));
        response
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        AcceptedJob(Acceptance { message: Sentence(self.0.to_owned()) }).into_response()
    }
}

impl<T: IntoResponse> IntoResponse for OrAccepted<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Done(answer) => answer.into_response(),
            Self::Accepted(accepted) => accepted.into_response(),
        }
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into()
    }
}

impl<R: IntoResponse> IntoResponse for WithCookies<R> {
    fn into_response(self) -> Response {
        let mut response = self.reply.into_response();
        for cookie in self.cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

pub(super) fn text_header(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    }
}

pub(super) fn response<T: Type>(
    status: StatusCode,
    description: &'static str,
    headers: Vec<MetaHeader>,
) -> MetaResponses {
    MetaResponses {
        responses: vec![MetaResponse {
            description,
            status: Some(status.as_u16()),
            status_range: None,
            content: vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }],
            headers,
        }],
    }
}

impl<T: Type + Serialize> ApiResponse for JsonResponse<T> {
    fn meta() -> MetaResponses {
        response::<T>(StatusCode::OK, "OK", Vec::new())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + Serialize> ApiResponse for AcceptedJob<T> {
    fn meta() -> MetaResponses {
        response::<T>(StatusCode::ACCEPTED, "Accepted", Vec::new())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + Serialize> ApiResponse for MultiStatus<T> {
    fn meta() -> MetaResponses {
        response::<T>(
            StatusCode::MULTI_STATUS,
            "The results, one per item. Each item has a status of its own.",
            Vec::new(),
        )
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + Serialize, Tag: fmt::Display + Send> ApiResponse for WithEtag<T, Tag> {
    fn meta() -> MetaResponses {
        response::<T>(
            StatusCode::OK,
            "OK",
            vec![text_header("ETag", "Version of the resource. Send it as `If-Match` when you change it.")],
        )
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl ApiResponse for Accepted {
    fn meta() -> MetaResponses {
        AcceptedJob::<Acceptance>::meta()
    }

    fn register(registry: &mut Registry) {
        <Acceptance as Type>::register(registry);
    }
}

impl<T: ApiResponse> ApiResponse for OrAccepted<T> {
    fn meta() -> MetaResponses {
        let mut meta = T::meta();
        meta.responses.extend(Accepted::meta().responses);
        meta
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        <Accepted as ApiResponse>::register(registry);
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        let description = "The operation succeeded. There is no body.";
        let status = Some(StatusCode::NO_CONTENT.as_u16());
        MetaResponses {
            responses: vec![MetaResponse {
                description,
                status,
                status_range: None,
                content: vec![],
                headers: vec![],
            }],
        }
    }

    fn register(_: &mut Registry) {}
}

impl<R: ApiResponse> ApiResponse for WithCookies<R> {
    fn meta() -> MetaResponses {
        R::meta()
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
    }
}

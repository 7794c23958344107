//! Error responses: problem details (RFC 9457). Only this file contains status codes.
//!
//! Handlers and extractors return [`Problem`]. [`render`] is around all of them and the only writer of error bodies. It
//! also converts errors and responses of the framework.

mod details;

use std::sync::Arc;

use details::ProblemDetails;
pub(crate) use details::{example, schema};
use insula_core::base::error::{Error, ErrorCode, ErrorKind, FieldError};
use poem::{
    Endpoint, Request, Response,
    error::ResponseError,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaResponse, MetaResponses, Registry},
};

use crate::request::id::{RequestId, trace_of};

/// The media type of problem details (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The result of handlers. `?` converts errors of core and of extractors.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// An error of core, as a response.
///
/// It documents no status itself: [`crate::openapi::publish`] knows which errors an operation can return.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub Error);

/// A [`Problem`] of an operation that declares the statuses that do not follow from its form.
#[derive(Debug)]
pub struct ProblemWith<const STATUS: u16, const OTHER: u16 = 0, const THIRD: u16 = 0, const FOURTH: u16 = 0>(
    Problem,
);

/// An operation outside of an organization that can return 409.
pub type WithConflict = ProblemWith<409>;

/// An operation without authentication that can refuse the origin of a request.
pub type WithForbidden<const OTHER: u16 = 0> = ProblemWith<403, OTHER>;

/// An operation without authentication that can refuse a login or the origin of a request.
pub type WithLoginErrors = WithForbidden<401>;

/// An operation that can refuse an e-mailed link or the origin of a request.
pub type WithLinkErrors<const OTHER: u16 = 0, const THIRD: u16 = 0> = ProblemWith<403, 410, OTHER, THIRD>;

/// The methods of a path: the value of `Allow` (RFC 9110 §10.2.1), attached to the error.
#[derive(Clone, Debug)]
pub struct Allow(pub HeaderValue);

/// The status code of a kind of error (RFC 9110 §15.5 and §15.6).
pub const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Moved => StatusCode::PERMANENT_REDIRECT,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::WrongMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The path of the pages that explain error codes.
pub const PAGES: &str = "/problems";

/// The page of an error code, which is also the `type` of its problems (RFC 9457 §3.1.1): `/problems/slug-taken`.
pub fn page_of(code: ErrorCode) -> String {
    format!("{PAGES}/{}", code.as_str().to_lowercase().replace('_', "-"))
}

/// The general error code of a status, for errors of the framework.
fn general(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthenticated,
        StatusCode::FORBIDDEN => ErrorCode::Forbidden,
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::REQUEST_TIMEOUT => ErrorCode::RequestTimeout,
        StatusCode::CONFLICT => ErrorCode::Conflict,
        StatusCode::PRECONDITION_FAILED => ErrorCode::PreconditionFailed,
        StatusCode::PRECONDITION_REQUIRED => ErrorCode::PreconditionRequired,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::ValidationFailed,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Unavailable,
        status if status.is_client_error() => ErrorCode::BadRequest,
        _ => ErrorCode::InternalError,
    }
}

impl Problem {
    /// What happened and what to do, for people, without internal details.
    pub fn sentence(&self) -> String {
        details::sentence(&self.0)
    }

    /// The response to the request `request_id` for the path `instance`, in the trace `trace_id`.
    fn response(&self, instance: &str, request_id: &str, trace_id: &str) -> Response {
        let code = self.0.code();
        let details = ProblemDetails::new(&self.0, instance, request_id, trace_id);
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = Response::builder().status(self.status()).content_type(MEDIA_TYPE).body(body);
        let headers = response.headers_mut();
        if let Some(seconds) = details.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if code.kind() == ErrorKind::Unauthenticated {
            // RFC 6750 §3.1: without credentials, no error code.
            let challenge = match code {
                ErrorCode::InvalidToken => r#"Bearer error="invalid_token""#,
                _ => "Bearer",
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// Converts an error of the framework.
    fn from_framework(err: poem::Error) -> Self {
        use poem_openapi::error::{ParseParamError, ParsePathError};
        let err = match err.downcast::<Self>() {
            Ok(problem) => return problem,
            Err(err) => err,
        };
        if err.is::<ParsePathError>() || err.is::<poem::error::ParsePathError>() {
            return Self(ErrorCode::NotFound.refuse());
        }
        if err.is::<poem::error::ParseQueryError>() {
            return Self(ErrorCode::ValidationFailed.refuse());
        }
        if let Some(ParseParamError { name, .. }) = err.downcast_ref() {
            let message = match *name {
                "If-Match" => "Must be an entity tag in quotes, such as \"3\", or *.",
                _ => "Is missing or has an invalid format.",
            };
            let field =
                FieldError { field: (*name).to_owned(), code: "INVALID_FORMAT", message: message.to_owned() };
            return Self(Error::Invalid(ErrorCode::ValidationFailed, vec![field]));
        }
        Self(general(err.status()).refuse())
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        status(self.0.code().kind())
    }

    /// For tests of single endpoints. In the program [`render`] responds, because it knows the request.
    fn as_response(&self) -> Response {
        self.response("", "", "")
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl<E: Into<Problem>, const STATUS: u16, const OTHER: u16, const THIRD: u16, const FOURTH: u16> From<E>
    for ProblemWith<STATUS, OTHER, THIRD, FOURTH>
{
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<const STATUS: u16, const OTHER: u16, const THIRD: u16, const FOURTH: u16>
    From<ProblemWith<STATUS, OTHER, THIRD, FOURTH>> for poem::Error
{
    fn from(ProblemWith(problem): ProblemWith<STATUS, OTHER, THIRD, FOURTH>) -> Self {
        problem.into()
    }
}

/// For `?` in handlers. Details that only the framework knows are logged here, because the conversion loses them.
impl From<poem::Error> for Problem {
    fn from(err: poem::Error) -> Self {
        if err.status().is_server_error() && !err.is::<Self>() {
            tracing::error!(error = ?err, "error in the web framework");
        }
        Self::from_framework(err)
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![] }
    }

    fn register(_: &mut Registry) {}
}

impl<const STATUS: u16, const OTHER: u16, const THIRD: u16, const FOURTH: u16> ApiResponse
    for ProblemWith<STATUS, OTHER, THIRD, FOURTH>
{
    fn meta() -> MetaResponses {
        let response = |status| MetaResponse {
            description: "",
            status: Some(status),
            status_range: None,
            content: vec![],
            headers: vec![],
        };
        MetaResponses {
            responses: [STATUS, OTHER, THIRD, FOURTH]
                .into_iter()
                .filter(|status| *status != 0)
                .map(response)
                .collect(),
        }
    }

    fn register(_: &mut Registry) {}
}

/// Middleware: turns every error of `endpoint` into problem details, and logs server errors.
pub async fn render<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let (instance, query) = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    let (request_id, trace) = (RequestId::of(&request), trace_of(&request));
    let result = match endpoint.call(request).await {
        // A response of an extractor, such as a redirect.
        Err(err) if err.is_from_response() => Ok(err.into_response()),
        result => result,
    };
    let err = match result {
        Ok(response) if !is_foreign(&response) => return Ok(response),
        Ok(response) => poem::Error::from_status(response.status()),
        Err(err) => err,
    };
    match err.status() {
        // A client that requests too early or too much, and probes cause this in normal operation.
        StatusCode::SERVICE_UNAVAILABLE => {
            tracing::warn!(request_id = &*request_id, error = ?err, "temporary failure");
        }
        status if status.is_server_error() => {
            tracing::error!(request_id = &*request_id, error = ?err, "request failed");
        }
        _ => {}
    }
    let allow = err.data::<Allow>().cloned();
    let problem = Problem::from_framework(err);
    if let Error::Moved(slug) = &problem.0 {
        return Ok(redirect(&instance, query.as_deref(), slug));
    }
    let mut response = problem.response(
        &instance,
        &request_id,
        &trace.map(|trace| trace.trace_id().to_string()).unwrap_or_default(),
    );
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // Paths outside of the API (health, documentation) only support reading.
        let Allow(methods) = allow.unwrap_or(Allow(HeaderValue::from_static("GET, HEAD")));
        response.headers_mut().insert(header::ALLOW, methods);
    }
    Ok(response)
}

/// A redirect to the current slug of the organization: the segment after `organizations`.
fn redirect(path: &str, query: Option<&str>, slug: &str) -> Response {
    let mut segments: Vec<_> = path.split('/').collect();
    let place = segments.iter().position(|segment| *segment == "organizations").map(|place| place + 1);
    if let Some(segment) = place.and_then(|place| segments.get_mut(place)) {
        *segment = slug;
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let location = segments.join("/") + &query;
    Response::builder().status(status(ErrorKind::Moved)).header(header::LOCATION, location).finish()
}

/// Whether this is an error response in another format.
fn is_foreign(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error()) && response.content_type() != Some(MEDIA_TYPE)
}

#[cfg(test)]
mod tests;

//! Failures on the wire: problem details (RFC 9457). The one place that knows status codes.
//!
//! Handlers and extractors return [`Problem`]; [`render`], the only writer of error bodies, stands around them all and
//! turns whatever came back into one shape, also what the framework raised or answered itself.

mod details;

use std::sync::Arc;

use details::Details;
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

use crate::request::id::RequestId;

/// The media type of problem details (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What handlers return: `?` takes the failures of core and those of extractors.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// A failure of core, as an answer.
///
/// It documents no status of its own: [`crate::openapi::publish`] knows which can occur on which operation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub Error);

/// A [`Problem`] of an operation that says itself which statuses it may have besides those that follow from its form.
#[derive(Debug)]
pub struct ProblemWith<const STATUS: u16, const OTHER: u16 = 0, const THIRD: u16 = 0, const FOURTH: u16 = 0>(
    Problem,
);

/// It may be a conflict, though the operation is outside of an organization.
pub type WithConflict = ProblemWith<409>;

/// It may be about where the request comes from, though the operation is open to anybody.
pub type WithForbidden<const OTHER: u16 = 0> = ProblemWith<403, OTHER>;

/// It may be about who signs in, or from where, though the operation is open to anybody.
pub type WithLoginErrors = WithForbidden<401>;

/// It may be about a mailed link, or where the request comes from.
pub type WithLinkErrors<const OTHER: u16 = 0, const THIRD: u16 = 0> = ProblemWith<403, 410, OTHER, THIRD>;

/// The methods a path has: the value of `Allow` (RFC 9110 §10.2.1), carried by the error.
#[derive(Clone, Debug)]
pub struct Allow(pub HeaderValue);

/// The status code of a kind of failure (RFC 9110 §15.5 and §15.6).
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

/// Where the pages stand that explain the codes.
pub const PAGES: &str = "/problems";

/// The page that explains a code, and the `type` of its problems (RFC 9457 §3.1.1): `/problems/slug-taken`.
pub fn page_of(code: ErrorCode) -> String {
    format!("{PAGES}/{}", code.as_str().to_lowercase().replace('_', "-"))
}

/// The code that says no more than `status` does, for failures that are not ours.
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
    /// What happened and what to do, for people; of what went wrong inside no more than that.
    pub fn sentence(&self) -> String {
        details::sentence(&self.0)
    }

    /// The answer to the request `request_id` for the path `instance`.
    fn response(&self, instance: &str, request_id: &str) -> Response {
        let code = self.0.code();
        let details = Details::new(&self.0, instance, request_id);
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

    /// What the framework raises, in our words.
    fn translated(err: poem::Error) -> Self {
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
                "If-Match" => "Must be an `ETag` in quotes, such as `\"3\"`, or `*`.",
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

    /// For tests of single endpoints: in the product [`render`] answers, which knows the request.
    fn as_response(&self) -> Response {
        self.response("", "")
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

/// For `?` in handlers; what only the framework can explain is logged here, before it is lost.
impl From<poem::Error> for Problem {
    fn from(err: poem::Error) -> Self {
        if err.status().is_server_error() && !err.is::<Self>() {
            tracing::error!(error = ?err, "error in the web framework");
        }
        Self::translated(err)
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

/// Middleware: every failure of `endpoint` leaves as problem details; those that are our fault are logged.
pub async fn render<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let (instance, query) = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    let request_id = RequestId::of(&request);
    let result = match endpoint.call(request).await {
        // An answer an extractor decided upon, such as a redirect.
        Err(err) if err.is_from_response() => Ok(err.into_response()),
        result => result,
    };
    let err = match result {
        Ok(response) if !is_foreign(&response) => return Ok(response),
        Ok(response) => poem::Error::from_status(response.status()),
        Err(err) => err,
    };
    match err.status() {
        // Whoever asks too early or too much; a probe does so by profession.
        StatusCode::SERVICE_UNAVAILABLE => {
            tracing::warn!(request_id = &*request_id, error = ?err, "temporary failure");
        }
        status if status.is_server_error() => {
            tracing::error!(request_id = &*request_id, error = ?err, "request failed");
        }
        _ => {}
    }
    let allow = err.data::<Allow>().cloned();
    let problem = Problem::translated(err);
    if let Error::Moved(slug) = &problem.0 {
        return Ok(redirect(&instance, query.as_deref(), slug));
    }
    let mut response = problem.response(&instance, &request_id);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // Paths outside of the API (health, documentation) can only be read.
        let Allow(methods) = allow.unwrap_or(Allow(HeaderValue::from_static("GET, HEAD")));
        response.headers_mut().insert(header::ALLOW, methods);
    }
    Ok(response)
}

/// The same under the organization's present slug: the segment after `organizations`.
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

/// A failure that somebody wrote in another shape.
fn is_foreign(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error()) && response.content_type() != Some(MEDIA_TYPE)
}

#[cfg(test)]
mod tests;

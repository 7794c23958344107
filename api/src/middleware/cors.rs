//! Cross-origin requests (CORS, Fetch §3.3): pages of the origins in `INSULA_TRUSTED_ORIGINS`, and no others,
//! can send requests with cookies and read the responses.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use crate::{BASE, browser::origins::Origins, operations::Match};

/// Request headers that a page can send in addition to the safelisted ones.
const SENT: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, \
                    x-csrf-token, x-platform-access, x-request-id";

/// Response headers that a page can read in addition to the safelisted ones.
const READ: &str = "Allow, Content-Disposition, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, \
     X-Request-Id, X-Total-Count";

/// Seconds that a browser can cache the result of a preflight request.
const REMEMBERED: &str = "600";

/// Middleware around everything that responds. It includes errors, because otherwise a page could not read
/// them.
///
/// # Errors
/// Those of `endpoint`.
pub async fn around<E>(origins: Arc<Origins>, endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    // Other pages do not read probes and pages.
    if !origins.has_listed() || !request.uri().path().starts_with(BASE) {
        return endpoint.call(request).await;
    }
    let origin = origins.listed(&request).cloned();
    let is_asked_before = origin.is_some() && asked_before(&request).is_some();
    let mut response = endpoint.call(request).await?;
    let headers = response.headers_mut();
    // Also without a known origin: a cached response for one page is not the response for another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(headers, &[(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true")]);
        if !is_asked_before {
            set(headers, &[(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ)]);
        }
    }
    Ok(response)
}

/// Middleware that answers preflight requests for pages of listed origins. It is inside the rate limits by IP
/// address, which count preflight requests too.
///
/// # Errors
/// Those of `endpoint`.
pub async fn ahead<E>(origins: Arc<Origins>, endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    match origins.listed(&request).and_then(|_| asked_before(&request)) {
        Some(methods) => Ok(may_be_asked(methods)),
        None => endpoint.call(request).await,
    }
}

/// The methods of the path, if `request` is a preflight request for one of them.
fn asked_before(request: &Request) -> Option<HeaderValue> {
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
    match request.data() {
        Some(Match::WrongMethod(methods)) if *request.method() == Method::OPTIONS => {
            let has_it = methods.to_str().ok()?.split(", ").any(|method| method == wanted);
            has_it.then(|| methods.clone())
        }
        _ => None,
    }
}

fn may_be_asked(methods: HeaderValue) -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let rest = [(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT), (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED)];
    set(headers, &rest);
    response
}

fn set(headers: &mut HeaderMap, values: &[(header::HeaderName, &'static str)]) {
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

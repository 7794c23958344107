//! Cross-origin requests (CORS, Fetch §3.3): pages of the origins in `INSULA_TRUSTED_ORIGINS`, and no others,
//! can send requests with cookies and read the responses.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use crate::{BASE, browser::origins::Origins, operations::Match};

/// Request headers that a page can send in addition to the safelisted ones.
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, \
                    x-csrf-token, x-platform-access, x-request-id";

/// Response headers that a page can read in addition to the safelisted ones.
const EXPOSED_HEADERS: &str = "Allow, Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, \
     WWW-Authenticate, X-Insula-Version, X-Request-Id, X-Total-Count";

/// Seconds that a browser can cache the result of a preflight request.
const PREFLIGHT_MAX_AGE: &str = "600";

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
    let is_preflight = origin.is_some() && preflight_methods(&request).is_some();
    let mut response = endpoint.call(request).await?;
    let headers = response.headers_mut();
    // Also without a known origin: a cached response for one page is not the response for another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(headers, &[(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true")]);
        if !is_preflight {
            set(headers, &[(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS)]);
        }
    }
    Ok(response)
}

/// Middleware that answers preflight requests for pages of listed origins. It is inside the rate limits by IP
/// address, which count preflight requests too.
///
/// # Errors
/// Those of `endpoint`.
pub async fn answer_preflight<E>(
    origins: Arc<Origins>,
    endpoint: Arc<E>,
    request: Request,
) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    match origins.listed(&request).and_then(|_| preflight_methods(&request)) {
        Some(methods) => Ok(preflight_response(methods)),
        None => endpoint.call(request).await,
    }
}

/// The methods of the path, if `request` is a preflight request for one of them.
fn preflight_methods(request: &Request) -> Option<HeaderValue> {
    let requested = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
    match request.data() {
        Some(Match::WrongMethod(methods)) if *request.method() == Method::OPTIONS => {
            let is_allowed = methods.to_str().ok()?.split(", ").any(|method| method == requested);
            is_allowed.then(|| methods.clone())
        }
        _ => None,
    }
}

fn preflight_response(methods: HeaderValue) -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let rest = [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE),
    ];
    set(headers, &rest);
    response
}

fn set(headers: &mut HeaderMap, values: &[(header::HeaderName, &'static str)]) {
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

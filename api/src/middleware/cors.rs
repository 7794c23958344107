//! Pages of other origins that may ask with the cookies of a browser, and read what is answered (Fetch §3.3): those of
//! `INSULA_TRUSTED_ORIGINS`, each by its name, and nobody else.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use crate::{BASE, browser::origins::Origins, operations::Match};

/// What a page may send besides what every page may.
const SENT: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, \
                    x-csrf-token, x-platform-access, x-request-id";

/// What a page may read besides what every page may.
const READ: &str = "Allow, Content-Disposition, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, \
     X-Request-Id, X-Total-Count";

/// How long a browser may remember what it was allowed.
const REMEMBERED: &str = "600";

/// Middleware around everything that answers, refusals too, or a page could not read why it was refused.
///
/// # Errors
/// Those of `endpoint`.
pub async fn around<E>(origins: Arc<Origins>, endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    // Probes and pages are nothing that other pages read.
    if !origins.has_listed() || !request.uri().path().starts_with(BASE) {
        return endpoint.call(request).await;
    }
    let origin = origins.listed(&request).cloned();
    let is_asked_before = origin.is_some() && asked_before(&request).is_some();
    let mut response = endpoint.call(request).await?;
    let headers = response.headers_mut();
    // Without a known origin too: what a cache keeps for one page is not the answer for another.
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

/// Middleware behind the limits by address, which count questions too: answers what a browser asks before a page of a listed
/// origin asks.
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

/// The methods of the path, where a browser asks before it sends one of them.
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

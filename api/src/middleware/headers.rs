//! The headers of every response, including errors.

use std::sync::Arc;

use insula_core::runtime::config::CspMode;
use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

use crate::{
    VERSION,
    browser::csp::Policy,
    request::id::{RequestId, X_REQUEST_ID},
};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The version of the program, so that a page notices when it is older than the server.
const X_INSULA_VERSION: HeaderName = HeaderName::from_static("x-insula-version");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Middleware that gives the request its ids and completes the headers of its response.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    is_https: bool,
    csp: CspMode,
}

impl Headers {
    /// The headers for an installation at `public_url`. With `https`, browsers are told to use only that (RFC
    /// 6797). `csp` is the mode of the content security policy.
    pub fn new(public_url: &str, csp: CspMode) -> Self {
        Self { is_https: public_url.starts_with("https://"), csp }
    }

    /// Passes `request` on to `endpoint` with its [`RequestId`], and completes the headers of the response.
    ///
    /// # Errors
    /// Those of `endpoint`, which renders errors itself ([`crate::problem::render`]).
    pub async fn around<E>(self, endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
    where
        E: Endpoint<Output = Response>,
    {
        let id = RequestId::choose(&request);
        request.set_data(id.clone());
        let mut response = endpoint.call(request).await?;
        let policy = Policy::of(&response);
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(X_REQUEST_ID, id);
        }
        self.complete(headers, policy);
        Ok(response)
    }

    fn complete(self, headers: &mut HeaderMap, policy: Policy) {
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (RESOURCE_POLICY, policy.resource_policy()),
            (X_INSULA_VERSION, VERSION),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.is_https {
            let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        if policy.is_isolated() {
            headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        }
        if let Some(frames) = policy.frames(self.csp) {
            headers.insert(header::X_FRAME_OPTIONS, frames);
        }
        if let Some(policy) = policy.header(self.csp) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_can_override_only_caching() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("unsafe-url"));
        Headers::new("http://insula.example", CspMode::Strict).complete(&mut headers, Policy::Data);
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; frame-ancestors 'none'");
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        Headers::new("https://insula.example", CspMode::Strict).complete(&mut headers, Policy::Data);
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}

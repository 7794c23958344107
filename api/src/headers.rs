//! The headers every answer carries, whatever produced it, and the name of the request.

use std::{fmt::Write, ops::Deref, sync::Arc};

use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

/// Names one request in its answer, the log and the audit events.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What an answer may do in a browser, unless its handler says otherwise: nothing (CSP Level 3).
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// The name of the request; in its extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Of `request`, which passed [`Headers::around`]; empty otherwise.
    pub fn of(request: &Request) -> Self {
        request.data::<Self>().cloned().unwrap_or_default()
    }

    /// The client's, if it is 1 to 128 letters, digits, `.`, `_` or `-`; a random one otherwise.
    fn choose(request: &Request) -> Self {
        let is_sane = |id: &&str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            (1..=128).contains(&id.len()) && id.bytes().all(allowed)
        };
        match request.header(X_REQUEST_ID).filter(is_sane) {
            Some(id) => Self(id.into()),
            None => Self::random(),
        }
    }

    fn random() -> Self {
        let mut bytes = [0; 16];
        if let Err(err) = getrandom::fill(&mut bytes) {
            tracing::warn!(%err, "no randomness for a request id");
        }
        let mut id = String::with_capacity(32);
        for byte in bytes {
            // Writing to a String cannot fail.
            write!(id, "{byte:02x}").unwrap_or_default();
        }
        Self(id.into())
    }
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Middleware that names the request and completes the headers of its answer.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    is_https: bool,
}

impl Headers {
    /// For a product reached at `public_url`: with `https`, browsers are told to keep to it (RFC 6797).
    pub fn new(public_url: &str) -> Self {
        Self { is_https: public_url.starts_with("https://") }
    }

    /// Passes `request` on to `endpoint`, with its [`RequestId`].
    ///
    /// # Errors
    /// Those of `endpoint`, which answers failures itself ([`crate::problem::render`]).
    pub async fn around<E>(self, endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
    where
        E: Endpoint<Output = Response>,
    {
        let id = RequestId::choose(&request);
        request.set_data(id.clone());
        let mut response = endpoint.call(request).await?;
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(X_REQUEST_ID, id);
        }
        self.complete(headers);
        Ok(response)
    }

    fn complete(self, headers: &mut HeaderMap) {
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (RESOURCE_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.is_https {
            let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        for (name, value) in [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, NOTHING)]
        {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_a_sane_name_and_gets_one_otherwise() {
        let named = |id: &str| RequestId::choose(&Request::builder().header(X_REQUEST_ID, id).finish());
        assert_eq!(&*named("a.B_c-9"), "a.B_c-9");
        assert_eq!(&*named(&"x".repeat(128)), "x".repeat(128));
        for bad in ["", "a b", "a/b", "ä", "\"", &"x".repeat(129)] {
            let id = named(bad);
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{bad:?} became {id:?}");
        }
        assert_ne!(RequestId::random(), RequestId::random());
    }

    #[test]
    fn the_handler_has_the_last_word_on_caching_and_content_policy_only() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("unsafe-url"));
        Headers::new("http://insula.example").complete(&mut headers);
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], NOTHING);
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        Headers::new("https://insula.example").complete(&mut headers);
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}

//! Checks whether a request of a browser comes from an allowed origin (Fetch Metadata; RFC 6454).

use insula_core::base::{
    error::{Error, ErrorCode},
    text::InvalidText,
};
use poem::{
    Request,
    http::{HeaderName, HeaderValue, header},
};

/// The header with the relation between the requesting page and this server. Scripts cannot set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins whose pages can act for a user: this server's own and the listed ones.
#[derive(Clone, Debug)]
pub struct Origins(Vec<String>);

impl Origins {
    /// The allowed origins: that of `public_url` and the `listed` ones.
    pub fn new(public_url: &str, listed: &[String]) -> Self {
        let mut own = public_url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        own.make_ascii_lowercase();
        Self([own].into_iter().chain(listed.iter().cloned()).collect())
    }

    /// Requires that `request` comes from an allowed origin. For requests that use the cookies of a browser.
    ///
    /// # Errors
    /// `CSRF_FAILED` otherwise, also if the request names no origin.
    pub fn require(&self, request: &Request) -> Result<(), Error> {
        match self.is_allowed(request) {
            Some(true) => Ok(()),
            Some(false) => Err(foreign()),
            None => Err(refused("REQUIRED", "A browser must say which page the request comes from.")),
        }
    }

    /// Refuses `request` if it comes from another origin. For public operations, which programs call without
    /// an origin.
    ///
    /// # Errors
    /// `CSRF_FAILED` if `request` names an origin that is not allowed.
    pub fn refuse_foreign(&self, request: &Request) -> Result<(), Error> {
        match self.is_allowed(request) {
            Some(true) | None => Ok(()),
            Some(false) => Err(foreign()),
        }
    }

    /// Returns whether there are listed origins.
    pub fn has_listed(&self) -> bool {
        self.0.len() > 1
    }

    /// The origin that `request` names, if it is one of the listed ones.
    pub fn listed<'a>(&self, request: &'a Request) -> Option<&'a HeaderValue> {
        let mut origins = request.headers().get_all(header::ORIGIN).iter();
        let (origin, None) = (origins.next()?, origins.next()) else { return None };
        self.0.iter().skip(1).any(|listed| origin == listed.as_str()).then_some(origin)
    }

    /// Returns whether the request comes from an allowed origin. `None`: it does not name one.
    fn is_allowed(&self, request: &Request) -> Option<bool> {
        let site = request.headers().get(SEC_FETCH_SITE);
        if site.is_some_and(|site| site == "same-origin") {
            return Some(true);
        }
        let mut origins = request.headers().get_all(header::ORIGIN).iter().peekable();
        match origins.peek() {
            Some(_) => Some(origins.all(|origin| self.0.iter().any(|allowed| origin == allowed.as_str()))),
            None => site.map(|_| false),
        }
    }
}

fn foreign() -> Error {
    refused("NOT_ALLOWED", "This page is not trusted.")
}

fn refused(code: &'static str, message: &str) -> Error {
    ErrorCode::CsrfFailed.refuse_field("Origin", InvalidText { code, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)]) -> Option<bool> {
        let listed = ["https://console.example".to_owned()];
        let origins = Origins::new("https://Insula.example/", &listed);
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        origins.is_allowed(&request.finish())
    }

    #[test]
    fn a_request_is_allowed_by_fetch_metadata_or_origin() {
        assert_eq!(check(&[]), None);
        for allowed in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "https://insula.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://console.example")],
        ] {
            assert_eq!(check(allowed), Some(true), "{allowed:?}");
        }
        for foreign in [
            &[("sec-fetch-site", "same-site")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "http://insula.example")],
            &[("origin", "https://insula.example.evil.example")],
            &[("origin", "https://insula.example:8443")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
            &[("origin", "https://insula.example"), ("origin", "https://evil.example")],
        ] {
            assert_eq!(check(foreign), Some(false), "{foreign:?}");
        }
    }
}

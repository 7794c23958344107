//! Where a request of a browser comes from, and whether that is a place of ours (Fetch Metadata; RFC 6454).

use insula_core::base::error::{Error, ErrorCode};
use poem::{
    Request,
    http::{HeaderName, HeaderValue, header},
};

/// Says how the page that asks stands to us; no script can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins whose pages may act for a person: our own and those that were listed.
///
/// Ours comes first.
#[derive(Clone, Debug)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Our own is that of `public_url`.
    pub fn new(public_url: &str, listed: &[String]) -> Self {
        let mut own = public_url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        own.make_ascii_lowercase();
        Self([own].into_iter().chain(listed.iter().cloned()).collect())
    }

    /// For what a browser's cookies make possible: `request` must say that it comes from a place of ours.
    ///
    /// # Errors
    /// `CSRF_FAILED` otherwise, also when it says nothing.
    pub fn require(&self, request: &Request) -> Result<(), Error> {
        match self.is_ours(request) {
            Some(true) => Ok(()),
            Some(false) | None => Err(ErrorCode::CsrfFailed.refuse()),
        }
    }

    /// For what anybody may ask: programs say nothing of where they come from, and pages of others do not get in.
    ///
    /// # Errors
    /// `CSRF_FAILED` when `request` says that it comes from elsewhere.
    pub fn refuse_foreign(&self, request: &Request) -> Result<(), Error> {
        match self.is_ours(request) {
            Some(true) | None => Ok(()),
            Some(false) => Err(ErrorCode::CsrfFailed.refuse()),
        }
    }

    /// Are there any besides our own?
    pub fn has_listed(&self) -> bool {
        self.0.len() > 1
    }

    /// The origin that `request` names, if it is one of those listed besides our own.
    pub fn listed<'a>(&self, request: &'a Request) -> Option<&'a HeaderValue> {
        let mut origins = request.headers().get_all(header::ORIGIN).iter();
        let (origin, None) = (origins.next()?, origins.next()) else { return None };
        self.0.iter().skip(1).any(|listed| origin == listed.as_str()).then_some(origin)
    }

    /// `None`: it does not say.
    fn is_ours(&self, request: &Request) -> Option<bool> {
        let site = request.headers().get(SEC_FETCH_SITE);
        if site.is_some_and(|site| site == "same-origin") {
            return Some(true);
        }
        let mut origins = request.headers().get_all(header::ORIGIN).iter().peekable();
        match origins.peek() {
            Some(_) => Some(origins.all(|origin| self.0.iter().any(|ours| origin == ours.as_str()))),
            None => site.map(|_| false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headers: &[(&str, &str)]) -> Option<bool> {
        let listed = ["https://console.example".to_owned()];
        let origins = Origins::new("https://Insula.example/", &listed);
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        origins.is_ours(&request.finish())
    }

    #[test]
    fn a_request_is_ours_when_browser_or_origin_say_so() {
        assert_eq!(said(&[]), None);
        for ours in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "https://insula.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://console.example")],
        ] {
            assert_eq!(said(ours), Some(true), "{ours:?}");
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
            assert_eq!(said(foreign), Some(false), "{foreign:?}");
        }
    }
}

//! The pages that mailed links lead to: `/verify` and `/reset`, which are one, and `/accept`. Static, embedded, and enough
//! without any console.

use bytes::Bytes;
use poem::{
    Endpoint, Request, Response, Route,
    endpoint::make_sync,
    get,
    http::{HeaderName, HeaderValue, header},
};
use sha2::{Digest, Sha256};

use crate::docs::versioned;

const HTML: &str = include_str!("page/links.html");
const ACCEPT: &str = include_str!("page/accept.html");
const SHARED: &str = include_str!("page/page.js");
const SCRIPT: &str = include_str!("page/links.js");
const ACCEPT_SCRIPT: &str = include_str!("page/accept.js");
const STYLE: &str = include_str!("page/links.css");

/// A page runs and shows what this origin serves, and asks this origin only (CSP Level 3). No text becomes a script or
/// markup (Trusted Types).
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; \
     require-trusted-types-for 'script'",
);

/// No page that opens one of ours, or is opened by it, holds on to it.
pub(crate) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// `outside`, and the pages with their parts. The token is in the fragment of the address: it never comes here.
pub fn beside(outside: Route) -> Route {
    outside
        .at("/verify", get(file(HTML, "text/html; charset=utf-8")))
        .at("/reset", get(file(HTML, "text/html; charset=utf-8")))
        .at("/accept", get(file(ACCEPT, "text/html; charset=utf-8")))
        .at("/links/page.js", get(file(SHARED, "text/javascript; charset=utf-8")))
        .at("/links/accept.js", get(file(ACCEPT_SCRIPT, "text/javascript; charset=utf-8")))
        .at("/links/links.js", get(file(SCRIPT, "text/javascript; charset=utf-8")))
        .at("/links/links.css", get(file(STYLE, "text/css; charset=utf-8")))
}

fn file(text: &'static str, media_type: &'static str) -> impl Endpoint<Output = Response> {
    let hash: [u8; 32] = Sha256::digest(text).into();
    make_sync(move |request: Request| {
        let mut response = versioned(&request, Bytes::from_static(text.as_bytes()), media_type, &hash);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
        response.headers_mut().insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        response
    })
}

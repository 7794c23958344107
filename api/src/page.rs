//! The page that mailed links lead to: `/verify` and `/reset`. Static, embedded, and enough without any console.

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
const SCRIPT: &str = include_str!("page/links.js");
const STYLE: &str = include_str!("page/links.css");

/// The page runs and shows what this origin serves, and asks this origin only (CSP Level 3). No text becomes a script or
/// markup (Trusted Types).
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; \
     require-trusted-types-for 'script'",
);

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// `outside`, and the page with its parts. The token is in the fragment of the address: it never comes here.
pub fn beside(outside: Route) -> Route {
    outside
        .at("/verify", get(file(HTML, "text/html; charset=utf-8")))
        .at("/reset", get(file(HTML, "text/html; charset=utf-8")))
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

//! The pages that mailed links lead to: `/verify` and `/reset`, which are one, and `/accept`. Static, embedded, and enough
//! without any console.

use bytes::Bytes;
use poem::{Endpoint, Request, Response, Route, endpoint::make_sync, get};
use sha2::{Digest, Sha256};

use crate::{csp::Policy, docs::versioned};

const HTML: &str = include_str!("page/links.html");
const ACCEPT: &str = include_str!("page/accept.html");
const SHARED: &str = include_str!("page/page.js");
const SCRIPT: &str = include_str!("page/links.js");
const ACCEPT_SCRIPT: &str = include_str!("page/accept.js");
const STYLE: &str = include_str!("page/links.css");

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
        response.set_data(Policy::Page);
        response
    })
}

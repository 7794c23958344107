//! The built-in pages, embedded: the web console, the page for developers, the pages of links in e-mails (`/verify` and `/reset`, which share one
//! page, and `/accept`), and the pages that explain problems.

mod console;
mod developers;
mod problems;
pub mod docs;
pub mod dev_inbox;

use std::sync::Arc;

use bytes::Bytes;
use poem::{Endpoint, Request, Response, Route, endpoint::make_sync, get};
use sha2::{Digest, Sha256};

use crate::{
    browser::{
        branding::{Branding, escaped},
        csp::Policy,
    },
    pages::docs::versioned,
    state::AppState,
};

const HTML: &str = include_str!("links.html");
const ACCEPT: &str = include_str!("accept.html");
const SHARED: &str = include_str!("page.js");
const SCRIPT: &str = include_str!("links.js");
const ACCEPT_SCRIPT: &str = include_str!("accept.js");
const STYLE: &str = include_str!("links.css");
const HTML_TYPE: &str = "text/html; charset=utf-8";

/// Adds the pages with their scripts and styles to `outside`. Tokens are in the fragment of the URL, which the server
/// does not receive. `console`: whether the web console is served. Without it, `/` is the page for developers.
pub fn add_routes(outside: Route, branding: &Arc<Branding>, console: bool) -> Route {
    let (head, on) = match console {
        true => ("    <script src=\"theme.js\"></script>\n", " data-console"),
        false => ("", ""),
    };
    let html = |page: &str| {
        let page = page.replace("{console}", on).replace("{head}", &format!("{}{head}", branding.head("")));
        Bytes::from(
            page.replace("{heading}", &branding.heading(""))
                .replace("{product}", &escaped(&branding.product)),
        )
    };
    let outside = match console {
        true => console::add_routes(outside, branding),
        false => outside.at("/", get(developers::page)),
    };
    branding
        .add_routes(problems::add_routes(outside))
        .at(developers::PATH, get(developers::page))
        .at("/verify", get(file(html(HTML), HTML_TYPE)))
        .at("/reset", get(file(html(HTML), HTML_TYPE)))
        .at("/accept", get(file(html(ACCEPT), HTML_TYPE)))
        .at("/links/page.js", get(file(SHARED, "text/javascript; charset=utf-8")))
        .at("/links/accept.js", get(file(ACCEPT_SCRIPT, "text/javascript; charset=utf-8")))
        .at("/links/links.js", get(file(SCRIPT, "text/javascript; charset=utf-8")))
        .at(
            "/links/links.css",
            get(file(STYLE.replace("{font}", &console::font(console)), "text/css; charset=utf-8")),
        )
}

/// A page without scripts. `parts`: the content as HTML. `up`: the relative path to the home page.
fn page_without_scripts(state: &AppState, title: &str, up: &str, parts: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · {product}</title>\n\
         <link rel=\"stylesheet\" href=\"{up}links/links.css\">\n{head}</head>\n<body>\n\
         <main class=\"wide\">\n<p class=\"name\"><a href=\"{up}./\">{heading}</a></p>\n<h1>{title}</h1>\n{parts}\
         </main>\n</body>\n</html>\n",
        title = inline_markup(title),
        head = state.branding.head(up),
        heading = state.branding.heading(up),
        product = escaped(&state.branding.product),
    );
    Response::builder().content_type(HTML_TYPE).extension(Policy::Page).body(page)
}

/// Text as HTML; text between backticks becomes code.
fn inline_markup(text: &str) -> String {
    let text = escaped(text);
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

fn file(text: impl Into<Bytes>, media_type: &'static str) -> impl Endpoint<Output = Response> {
    let text = text.into();
    let hash: [u8; 32] = Sha256::digest(&text).into();
    make_sync(move |request: Request| {
        let mut response = versioned(&request, text.clone(), media_type, &hash);
        response.set_data(Policy::Page);
        response
    })
}

//! The web console: a single-page application, built from `web/` and embedded. Its paths get one page; the router of the
//! console shows the rest. Files that do not exist stay a 404, so that a missing script is never answered with HTML.

mod encoding;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use encoding::Encoding;
use insula_core::base::crypto::hex;
use poem::{
    Endpoint, Request, Response, Route,
    endpoint::make,
    error::NotFoundError,
    get,
    http::{StatusCode, header},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    browser::{branding::Branding, csp::Policy},
    http::IfNoneMatch,
};

/// The built files. `make web` builds them, and CI compares them with `web/src`.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../web/dist"]
struct Built;

/// The one page.
const PAGE: &str = "index.html";

/// The paths whose page is the console. `/o/{slug}` is an organization.
const PAGES: [&str; 10] = [
    "/",
    "/login",
    "/register",
    "/forgot",
    "/o",
    "/o/*rest",
    "/account",
    "/account/*rest",
    "/platform",
    "/platform/*rest",
];

/// Files outside of `/assets`, whose names stay the same in each version.
const FILES: [&str; 2] = ["/theme.js", "/favicon.svg"];

/// The names of files in `/assets` contain a hash of their content.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The content of a file, as it is served.
#[derive(Clone)]
struct FileContent {
    bytes: Bytes,
    hash: [u8; 32],
}

impl FileContent {
    fn built(name: &str) -> Option<Self> {
        let file = Built::get(name)?;
        let hash = file.metadata.sha256_hash();
        let bytes = match file.data {
            std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
            std::borrow::Cow::Owned(data) => data.into(),
        };
        Some(Self { bytes, hash })
    }

    /// The page, with the logo and the accent colour of the operator.
    fn page(branding: &Branding) -> Option<Self> {
        let page = branding.console_page(&String::from_utf8_lossy(&Self::built(PAGE)?.bytes));
        Some(Self { hash: Sha256::digest(&page).into(), bytes: page.into() })
    }
}

/// The rule of style sheets that loads the font of the console. Empty if the console is off, because its files are not
/// served then.
pub(super) fn font(is_served: bool) -> String {
    let name =
        Built::iter().find(|name| name.starts_with("assets/inter-latin-wght-normal-")).filter(|_| is_served);
    let rule = name.map(|name| {
        format!(
            "@font-face {{ font-family: \"Inter Variable\"; font-weight: 100 900; font-display: swap; src: url(../{name}) \
             format(\"woff2\"); }}\n\n"
        )
    });
    rule.unwrap_or_default()
}

/// Adds the console to `outside`.
pub(super) fn add_routes(outside: Route, branding: &Branding) -> Route {
    let console = Arc::new(ConsoleFiles { page: FileContent::page(branding), compressed: Mutex::default() });
    let route = PAGES.into_iter().fold(outside, |route, path| {
        route.at(path, get(file(&console, |_| Some(PAGE.to_owned()), "no-cache")))
    });
    let route = FILES.into_iter().fold(route, |route, path| {
        route.at(path, get(file(&console, |path| path.strip_prefix('/').map(str::to_owned), "no-cache")))
    });
    let asset =
        |path: &str| path.strip_prefix('/').filter(|name| name.starts_with("assets/")).map(str::to_owned);
    route.at("/assets/*rest", get(file(&console, asset, FOREVER)))
}

/// Serves the file that `name` finds for a path.
fn file(
    console: &Arc<ConsoleFiles>,
    name: fn(&str) -> Option<String>,
    caching: &'static str,
) -> impl Endpoint<Output = Response> + use<> {
    let console = Arc::clone(console);
    make(move |request: Request| {
        let (console, name) = (Arc::clone(&console), name(request.uri().path()));
        async move { respond(&request, name, caching, &console).await }
    })
}

/// # Errors
/// 404 if there is no such file.
async fn respond(
    request: &Request,
    name: Option<String>,
    caching: &'static str,
    console: &ConsoleFiles,
) -> poem::Result<Response> {
    let name = name.ok_or(NotFoundError)?;
    let (file, kind) = console.get(&name).zip(media_type(&name)).ok_or(NotFoundError)?;
    let accept = request.header(header::ACCEPT_ENCODING).unwrap_or_default();
    let encoding = if is_compressible(kind) { Encoding::choose(accept) } else { None };
    let tag = tag(&file, encoding);
    let mut response = Response::builder()
        .header(header::ETAG, &tag)
        .header(header::CACHE_CONTROL, caching)
        .extension(Policy::Console);
    if is_compressible(kind) {
        response = response.header(header::VARY, "Accept-Encoding");
    }
    let known = request.header(header::IF_NONE_MATCH).unwrap_or_default();
    if IfNoneMatch::read(known).has(&tag) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let response = response.content_type(kind);
    match encoding {
        None => Ok(response.body(file.bytes)),
        Some(encoding) => {
            let body = console.compress(file, encoding).await?;
            Ok(response.header(header::CONTENT_ENCODING, encoding.name()).body(body))
        }
    }
}

/// The entity tag: the hash of the file and its coding, because each representation needs its own (RFC 9110 §8.8.3.3).
fn tag(file: &FileContent, encoding: Option<Encoding>) -> String {
    let suffix = encoding.map(|encoding| format!("-{}", encoding.name())).unwrap_or_default();
    format!("\"{}{suffix}\"", hex(&file.hash[..16]))
}

fn media_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

/// Fonts are compressed already.
fn is_compressible(media_type: &str) -> bool {
    media_type != "font/woff2"
}

/// The files of the console.
struct ConsoleFiles {
    page: Option<FileContent>,
    /// Compressed files, each made once, at its first request.
    compressed: Mutex<HashMap<Version, Arc<OnceCell<Bytes>>>>,
}

/// A hash of a file, and a coding.
type Version = ([u8; 32], Encoding);

impl ConsoleFiles {
    fn get(&self, name: &str) -> Option<FileContent> {
        if name == PAGE { self.page.clone() } else { FileContent::built(name) }
    }

    /// Returns `file` in `encoding`. Concurrent requests wait for the first one.
    async fn compress(&self, file: FileContent, encoding: Encoding) -> poem::Result<Bytes> {
        let cell = {
            let mut cells = self.compressed.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry((file.hash, encoding)).or_default())
        };
        let made = cell.get_or_try_init(|| async {
            let compressed = spawn_blocking(move || encoding.compress(&file.bytes)).await;
            let compressed = compressed.map_err(poem::error::InternalServerError)?;
            compressed.map(Bytes::from).map_err(poem::error::InternalServerError)
        });
        made.await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_file_can_be_served() {
        let names: Vec<_> = Built::iter().collect();
        assert!(names.iter().any(|name| name == PAGE), "{names:?}");
        for name in names {
            let is_listed = name == PAGE || FILES.contains(&format!("/{name}").as_str());
            assert!(is_listed || name.starts_with("assets/"), "no path serves {name}");
            assert!(media_type(&name).is_some(), "{name} has no media type");
        }
    }
}

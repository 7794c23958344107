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

/// A file, as it is served.
struct Content {
    bytes: Bytes,
    hash: [u8; 32],
}

impl Content {
    fn of(name: &str, branding: &Branding) -> Option<Self> {
        let file = Built::get(name)?;
        let hash = file.metadata.sha256_hash();
        let bytes = match file.data {
            std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
            std::borrow::Cow::Owned(data) => data.into(),
        };
        if name != PAGE {
            return Some(Self { bytes, hash });
        }
        let page = branding.dress(&String::from_utf8_lossy(&bytes));
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
pub(super) fn add_routes(outside: Route, branding: &Arc<Branding>) -> Route {
    let compressed = Arc::new(Compressed { branding: Arc::clone(branding), files: Mutex::default() });
    let route = PAGES.into_iter().fold(outside, |route, path| {
        route.at(path, get(file(&compressed, |_| Some(PAGE.to_owned()), "no-cache")))
    });
    let route = FILES.into_iter().fold(route, |route, path| {
        route.at(path, get(file(&compressed, |path| path.strip_prefix('/').map(str::to_owned), "no-cache")))
    });
    let asset =
        |path: &str| path.strip_prefix('/').filter(|name| name.starts_with("assets/")).map(str::to_owned);
    route.at("/assets/*rest", get(file(&compressed, asset, FOREVER)))
}

/// Serves the file that `name` finds for a path.
fn file(
    compressed: &Arc<Compressed>,
    name: fn(&str) -> Option<String>,
    caching: &'static str,
) -> impl Endpoint<Output = Response> + use<> {
    let compressed = Arc::clone(compressed);
    make(move |request: Request| {
        let (compressed, name) = (Arc::clone(&compressed), name(request.uri().path()));
        async move { respond(&request, name, caching, &compressed).await }
    })
}

/// # Errors
/// 404 if there is no such file.
async fn respond(
    request: &Request,
    name: Option<String>,
    caching: &'static str,
    compressed: &Compressed,
) -> poem::Result<Response> {
    let name = name.ok_or(NotFoundError)?;
    let (file, kind) =
        Content::of(&name, &compressed.branding).zip(media_type(&name)).ok_or(NotFoundError)?;
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
            let body = compressed.get(file, encoding).await?;
            Ok(response.header(header::CONTENT_ENCODING, encoding.name()).body(body))
        }
    }
}

/// The entity tag: the hash of the file and its coding, because each representation needs its own (RFC 9110 §8.8.3.3).
fn tag(file: &Content, encoding: Option<Encoding>) -> String {
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

/// Compressed files, each made once, at its first request.
struct Compressed {
    branding: Arc<Branding>,
    files: Mutex<HashMap<Version, Arc<OnceCell<Bytes>>>>,
}

/// A hash of a file, and a coding.
type Version = ([u8; 32], Encoding);

impl Compressed {
    /// Returns `file` in `encoding`. Concurrent requests wait for the first one.
    async fn get(&self, file: Content, encoding: Encoding) -> poem::Result<Bytes> {
        let cell = {
            let mut cells = self.files.lock().unwrap_or_else(PoisonError::into_inner);
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

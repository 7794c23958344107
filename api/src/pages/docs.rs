//! The documentation pages (Swagger UI, Redoc) and the document they show. Embedded, so that nothing is fetched from other hosts.

use std::sync::OnceLock;

use bytes::Bytes;
use insula_core::base::crypto::hex;
use poem::{
    Endpoint, IntoEndpoint, Request, Response,
    endpoint::make_sync,
    error::NotFoundError,
    get,
    http::{StatusCode, header},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::{browser::csp::Policy, http::IfNoneMatch};

/// The files in `assets/swagger-ui`. The README there names their origin.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/swagger-ui"]
struct SwaggerUi;

/// The files in `assets/redoc`. The README there names their origin.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/redoc"]
struct Redoc;

/// The path of Swagger UI, where you can try operations.
pub const PATH: &str = "/docs";

/// The path of Redoc, the reference on one page.
pub const REFERENCE: &str = "/redoc";

/// Swagger UI and its parts, at [`PATH`] and below.
pub fn page() -> impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static> {
    get(make_sync(|request: Request| file::<SwaggerUi>(&request, PATH, Policy::Docs)))
}

/// Redoc and its parts, at [`REFERENCE`] and below.
pub fn reference() -> impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static> {
    get(make_sync(|request: Request| file::<Redoc>(&request, REFERENCE, Policy::Reference)))
}

/// One of `Files`, which stand at `place`.
fn file<Files: RustEmbed>(request: &Request, place: &str, policy: Policy) -> poem::Result<Response> {
    let name = match request.uri().path().strip_prefix(place).ok_or(NotFoundError)? {
        // The links of the page are relative to its directory, and so is this one: a path prefix does no harm.
        "" => {
            let redirect = Response::builder().status(StatusCode::PERMANENT_REDIRECT);
            return Ok(redirect
                .header(header::LOCATION, format!("{}/", place.trim_start_matches('/')))
                .finish());
        }
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let media_type = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("png") => "image/png",
        Some("txt") | None => "text/plain; charset=utf-8",
        Some(_) => return Err(NotFoundError.into()),
    };
    let file = Files::get(name).ok_or(NotFoundError)?;
    let bytes = match file.data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => data.into(),
    };
    let mut response = versioned(request, bytes, media_type, &file.metadata.sha256_hash());
    response.set_data(policy);
    Ok(response)
}

/// The document that `publish` makes: when it is asked for the first time, since making it takes longer than all else that
/// a server does at its start. That it can be made is what the tests of [`crate::openapi`] say.
pub fn document(
    publish: fn() -> Result<serde_json::Value, String>,
) -> impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static> {
    let published = OnceLock::new();
    get(make_sync(move |request: Request| {
        let published = published.get_or_init(|| {
            let bytes = Bytes::from(publish()?.to_string());
            let hash: [u8; 32] = Sha256::digest(&bytes).into();
            Ok((bytes, hash))
        });
        match published {
            Ok((bytes, hash)) => Ok(versioned(&request, bytes.clone(), "application/json", hash)),
            Err(fault) => {
                let fault = String::clone(fault);
                Err(poem::Error::from_string(fault, StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }))
}

/// Bytes that change with the program only: kept by clients, and asked for again by their hash (RFC 9110 §13.1.2).
pub(crate) fn versioned(
    request: &Request,
    bytes: Bytes,
    media_type: &'static str,
    hash: &[u8; 32],
) -> Response {
    let tag = format!("\"{}\"", hex(&hash[..16]));
    let known = request.header(header::IF_NONE_MATCH).unwrap_or_default();
    let is_known = IfNoneMatch::read(known).has(&tag);
    let response = Response::builder().header(header::ETAG, tag).header(header::CACHE_CONTROL, "no-cache");
    match is_known {
        true => response.status(StatusCode::NOT_MODIFIED).finish(),
        false => response.content_type(media_type).body(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_the_readmes_name() {
        named_in_the_readme::<SwaggerUi>(&["README.md", "index.html", "start.js"]);
        named_in_the_readme::<Redoc>(&["README.md", "index.html", "redoc.css", "start.js"]);
    }

    fn named_in_the_readme<Files: RustEmbed>(ours: &[&str]) {
        let readme = Files::get("README.md").unwrap();
        let readme = std::str::from_utf8(&readme.data).unwrap();
        let rows = readme
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `"));
        let mut named: Vec<_> = rows
            .map(|(name, sum)| {
                let hash = Files::get(name).unwrap().metadata.sha256_hash();
                assert_eq!(hash.map(|byte| format!("{byte:02x}")).concat(), sum, "{name}");
                name.to_owned()
            })
            .collect();
        named.extend(ours.iter().map(|&name| name.to_owned()));
        named.sort();
        let mut present: Vec<_> = Files::iter().map(std::borrow::Cow::into_owned).collect();
        present.sort();
        assert_eq!(present, named);
    }
}

//! The documentation page (Swagger UI) and the document it shows: embedded, so that nothing is fetched from elsewhere.

use bytes::Bytes;
use poem::{
    Endpoint, IntoEndpoint, Request, Response, Result,
    endpoint::make_sync,
    error::NotFoundError,
    get,
    http::{StatusCode, header},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::{csp::Policy, wire::IfNoneMatch};

/// The files of `assets/swagger-ui`; its README names their origin.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/swagger-ui"]
struct Files;

/// Where the page stands.
pub const PATH: &str = "/docs";

/// The page and its parts, at [`PATH`] and below.
pub fn page() -> impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static> {
    get(make_sync(|request: Request| file(&request)))
}

fn file(request: &Request) -> Result<Response> {
    let name = match request.uri().path().strip_prefix(PATH).ok_or(NotFoundError)? {
        // The links of the page are relative to its directory, and so is this one: a path prefix does no harm.
        "" => {
            let redirect = Response::builder().status(StatusCode::PERMANENT_REDIRECT);
            return Ok(redirect.header(header::LOCATION, "docs/").finish());
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
    response.set_data(Policy::Docs);
    Ok(response)
}

/// The document, as it was published at start.
pub fn document(
    document: &serde_json::Value,
) -> impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static> + use<> {
    let bytes = Bytes::from(document.to_string());
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    get(make_sync(move |request: Request| versioned(&request, bytes.clone(), "application/json", &hash)))
}

/// Bytes that change with the program only: kept by clients, and asked for again by their hash (RFC 9110 §13.1.2).
pub(crate) fn versioned(
    request: &Request,
    bytes: Bytes,
    media_type: &'static str,
    hash: &[u8; 32],
) -> Response {
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
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
    fn the_files_are_those_the_readme_names() {
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
        named.extend(["README.md", "index.html", "start.js"].map(str::to_owned));
        named.sort();
        let mut present: Vec<_> = Files::iter().collect();
        present.sort();
        assert_eq!(present, named);
    }
}

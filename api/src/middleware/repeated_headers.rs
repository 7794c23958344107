//! Refuses repeated headers. A proxy in front of this server may have used the other value, so a request is
//! refused if an important header is repeated (RFC 9110 §5.3).
//!
//! Some headers are refused where they are read, because they have another status: `Authorization` (401,
//! [`crate::auth::extractors`]), `Content-Type` (415, [`crate::body`]) and `Host` (400, [`crate::server`]).
//! `Cookie` can be sent in several lines; [`crate::browser::cookies`] handles two cookies of one name.

use std::sync::Arc;

use insula_core::base::error::{Error, ErrorCode, FieldError};
use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue},
};

use crate::problem::Problem;

/// Headers that a request can have at most once.
const SINGLE_HEADERS: [&str; 6] = [
    "X-Platform-Access",
    "X-CSRF-Token",
    "Idempotency-Key",
    "Origin",
    "Sec-Fetch-Site",
    "Access-Control-Request-Method",
];

/// Headers with lists, which can be sent in several lines.
const LIST_HEADERS: [&str; 2] = ["If-Match", "If-None-Match"];

/// Middleware: refuses repeated headers, and joins lists that are sent in several lines.
///
/// # Errors
/// `BAD_REQUEST`, naming each header, and those of `endpoint`.
pub async fn refuse<E>(endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let errors = repeated_headers(request.headers());
    if !errors.is_empty() {
        return Err(Problem(Error::Invalid(ErrorCode::BadRequest, errors)).into());
    }
    for name in LIST_HEADERS {
        join(request.headers_mut(), name);
    }
    endpoint.call(request).await
}

fn repeated_headers(headers: &HeaderMap) -> Vec<FieldError> {
    let repeated = SINGLE_HEADERS.iter().filter(|name| headers.get_all(**name).iter().nth(1).is_some());
    let field_error = |name: &&str| FieldError {
        field: (*name).to_owned(),
        code: "NOT_UNIQUE",
        message: "Must be given once.".to_owned(),
    };
    repeated.map(field_error).collect()
}

/// Joins the lines of a list. An entity tag can contain bytes that are not text. The framework treats a
/// header with such bytes as absent, and a condition must not get lost. No tag of this server contains them,
/// so they are replaced by another byte.
fn join(headers: &mut HeaderMap, name: &'static str) {
    let lines: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let is_plain = lines.iter().flat_map(|line| line.iter()).all(|byte| is_text(*byte));
    if lines.len() < 2 && is_plain {
        return;
    }
    let mut joined = lines.join(&b", "[..]);
    joined.iter_mut().filter(|byte| !is_text(**byte)).for_each(|byte| *byte = b'?');
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(name, joined);
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (b' '..=b'~').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_one_line_and_no_condition_gets_lost() {
        for (lines, expected) in [
            (vec![&b"\"1\""[..]], "\"1\""),
            (vec![&b"\"1\""[..], b"W/\"2\"", b"\"3\", \"4\""], "\"1\", W/\"2\", \"3\", \"4\""),
            (vec![&b"\"\xff\""[..]], "\"?\""),
            (vec![&b"\"\xc3\xa9\""[..], b"\"1\""], "\"??\", \"1\""),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("if-match", HeaderValue::from_bytes(line).unwrap());
            }
            join(&mut headers, "If-Match");
            assert_eq!(headers.get_all("if-match").iter().collect::<Vec<_>>(), [expected]);
        }
        let mut none = HeaderMap::new();
        join(&mut none, "If-Match");
        assert!(none.is_empty());
    }

    #[test]
    fn each_repeated_header_is_named() {
        let mut headers = HeaderMap::new();
        for name in SINGLE_HEADERS {
            headers.append(name, HeaderValue::from_static("a"));
            assert!(repeated_headers(&headers).is_empty());
            headers.append(name, HeaderValue::from_static("a"));
            let named: Vec<_> = repeated_headers(&headers).into_iter().map(|error| error.field).collect();
            assert_eq!(named, [name]);
            headers.remove(name);
        }
    }
}

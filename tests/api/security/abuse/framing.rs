//! The end of a request: bodies with a wrong, repeated or missing length.

use insula_tests::Server;

use super::{Case, case, try_all};

const BODY: &str = r#"{"email":"nobody@example.com","password":"a wrong guess"}"#;

/// A failing login, up to the headers with the length of its body.
const HEAD: &str = "POST /api/v1/auth/login HTTP/1.1\r\nhost: insula\r\nconnection: close\r\ncontent-type: application/json\r\n";

/// The same on a connection that goes on, and what comes next on it.
const KEPT: &str = "POST /api/v1/auth/login HTTP/1.1\r\nhost: insula\r\ncontent-type: application/json\r\n";
const NEXT: &str = "GET /livez HTTP/1.1\r\nhost: insula\r\nconnection: close\r\n\r\n";

fn chunked(rest: &str) -> String {
    format!("{HEAD}transfer-encoding: chunked\r\n\r\n{rest}")
}

fn lengths() -> Vec<Case> {
    let n = BODY.len();
    let with = |lines: &str| format!("{HEAD}{lines}\r\n\r\n{BODY}");
    let at_once = |lines: &str, body: &str| format!("{KEPT}{lines}\r\n\r\n{body}{NEXT}");
    vec![
        case("the right length", with(&format!("content-length: {n}")), &[401]),
        case("the right length twice", with(&format!("content-length: {n}\r\ncontent-length: {n}")), &[401]),
        case("the right length in a list", with(&format!("content-length: {n}, {n}")), &[400]),
        case("two lengths", with("content-length: 5\r\ncontent-length: 50"), &[400]),
        case("a length with a sign", with(&format!("content-length: +{n}")), &[400]),
        case("a negative length", with("content-length: -1"), &[400]),
        case("a hexadecimal length", with("content-length: 0x10"), &[400]),
        case("an empty length", with("content-length: "), &[400]),
        case("a length with a fraction", with("content-length: 4.0"), &[400]),
        case("a length over 64 bits", with("content-length: 18446744073709551616"), &[400]),
        case("a space before the colon", with(&format!("content-length : {n}")), &[400]),
        case("a length of 2^63", with("content-length: 9223372036854775808"), &[413]),
        case("no length and no body", format!("{HEAD}\r\n"), &[400]),
        case("less than was sent", at_once("content-length: 0", ""), &[400, 200]),
        case(
            "what follows the body is the next",
            at_once(&format!("content-length: {n}"), BODY),
            &[401, 200],
        ),
        case(
            "a body of a GET is not the next request",
            format!("GET /livez HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{NEXT}{NEXT}", NEXT.len()),
            &[200, 200],
        ),
        case(
            "a body for nobody is not the next request",
            format!(
                "POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{NEXT}{NEXT}",
                NEXT.len()
            ),
            &[404, 200],
        ),
        case(
            "a body of a method that is not there is not the next request",
            format!("PUT /livez HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{NEXT}{NEXT}", NEXT.len()),
            &[405, 200],
        ),
    ]
}

fn encodings() -> Vec<Case> {
    let with = |lines: &str| format!("{HEAD}{lines}\r\n\r\n0\r\n\r\n");
    let kept = |lines: &str| format!("{KEPT}{lines}\r\n\r\n0\r\n\r\n{NEXT}");
    let chunks = "transfer-encoding: chunked";
    vec![
        // A proxy may have read it differently, so the connection must be closed (RFC 9112 §6.1).
        case("length, then chunked", kept(&format!("content-length: 4\r\n{chunks}")), &[400]),
        case("chunked, then length", kept(&format!("{chunks}\r\ncontent-length: 4")), &[400]),
        case("chunked twice", with(&format!("{chunks}\r\n{chunks}")), &[400]),
        case("chunked, identity", with("transfer-encoding: chunked, identity"), &[400]),
        case("gzip alone", with("transfer-encoding: gzip"), &[400]),
        case("gzip, chunked", with("transfer-encoding: gzip, chunked"), &[400]),
        case("xchunked", with("transfer-encoding: xchunked"), &[400]),
        case("chunked with a vertical tab", with("transfer-encoding: \x0bchunked"), &[400]),
        case("CHUNKED", with("transfer-encoding: CHUNKED"), &[400]),
        case(
            "chunked in HTTP/1.0",
            format!("{}{chunks}\r\n\r\n0\r\n\r\n", HEAD.replace("1.1", "1.0")),
            &[400],
        ),
    ]
}

fn chunks() -> Vec<Case> {
    let n = BODY.len();
    vec![
        case("one chunk", chunked(&format!("{n:x}\r\n{BODY}\r\n0\r\n\r\n")), &[401]),
        case("many chunks", chunked(&(split(BODY) + "0\r\n\r\n")), &[401]),
        case("an upper-case size with zeros", chunked(&format!("000{n:X}\r\n{BODY}\r\n0\r\n\r\n")), &[401]),
        case("an extension", chunked(&format!("{n:x};a=b\r\n{BODY}\r\n0\r\n\r\n")), &[401]),
        case(
            "an extension without end",
            chunked(&format!("{n:x};a={}\r\n{BODY}\r\n0\r\n\r\n", "b".repeat(40_000))),
            &[400],
        ),
        case(
            "trailers are no headers",
            chunked(&format!("{n:x}\r\n{BODY}\r\n0\r\nauthorization: Bearer x\r\ncontent-length: 3\r\n\r\n")),
            &[401],
        ),
        case(
            "trailers without end",
            chunked(&format!("{n:x}\r\n{BODY}\r\n0\r\n{}\r\n", "a: b\r\n".repeat(20_000))),
            &[400],
        ),
        case("a negative size", chunked("-1\r\n{}\r\n0\r\n\r\n"), &[400]),
        case("0x", chunked("0x2\r\n{}\r\n0\r\n\r\n"), &[400]),
        case("no hexadecimal size", chunked("zz\r\n{}\r\n0\r\n\r\n"), &[400]),
        case("no size", chunked("\r\n{}\r\n0\r\n\r\n"), &[400]),
        case("a size over 64 bits", chunked("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), &[400]),
        case("more than its size", chunked("1\r\n{}\r\n0\r\n\r\n"), &[400]),
        case("a chunk that ends with LF alone", chunked("2\r\n{}\n0\r\n\r\n"), &[400]),
        case("a size that ends with LF alone", chunked("2\n{}\r\n0\r\n\r\n"), &[400]),
        case(
            "a broken chunk ends the connection",
            format!("{KEPT}transfer-encoding: chunked\r\n\r\nzz\r\n{NEXT}"),
            &[400],
        ),
    ]
}

/// In chunks of one byte.
fn split(body: &str) -> String {
    body.chars().map(|c| format!("1\r\n{c}\r\n")).collect()
}

fn sizes() -> Vec<Case> {
    const MOST: usize = 1 << 20;
    let sent = |n: usize| format!("{HEAD}content-length: {n}\r\n\r\n{}", " ".repeat(n));
    let chunk = |n: usize| chunked(&format!("{n:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(n)));
    let two = |n: usize| {
        chunked(&format!("{MOST:x}\r\n{}\r\n{n:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(MOST), " ".repeat(n)))
    };
    vec![
        // A body of the maximum size is read and is no JSON.
        case("1 MiB", sent(MOST), &[400]),
        case("1 MiB and a byte", sent(MOST + 1), &[413]),
        case("a chunk of 1 MiB", chunk(MOST), &[400]),
        case("a chunk of 1 MiB and a byte", chunk(MOST + 1), &[413]),
        case("a chunk of 1 MiB and one of a byte", two(1), &[413]),
        case("a chunk of 8 MiB", chunk(8 * MOST), &[413]),
        case(
            "too much, that waits for 100 Continue",
            format!("{HEAD}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", MOST + 1),
            &[413],
        ),
    ]
}

#[tokio::test]
async fn a_request_ends_in_one_place_or_is_refused() {
    let server = Server::start().await;
    let cases: Vec<_> = [lengths(), encodings(), chunks(), sizes()].into_iter().flatten().collect();
    try_all(&server, "framing", &cases).await;
}

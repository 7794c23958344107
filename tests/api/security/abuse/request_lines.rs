//! The head of a request: methods, targets, versions and headers that are unusual, too long or too many.

use super::{Case, acme, case, goes_on, try_all};

/// The lines that every sound request has.
const REST: &str = "host: insula\r\nconnection: close\r\n\r\n";

/// A request with this first line.
fn first(line: &str) -> String {
    format!("{line}\r\n{REST}")
}

/// A probe with this further header line.
fn with(line: &[u8]) -> Vec<u8> {
    [b"GET /livez HTTP/1.1\r\n", line, b"\r\n", REST.as_bytes()].concat()
}

fn targets() -> Vec<Case> {
    vec![
        case("absolute form", first("GET http://insula/livez HTTP/1.1"), &[200]),
        case("absolute form of another host", first("GET http://evil.example/livez HTTP/1.1"), &[200]),
        case(
            "absolute form with a user",
            first("GET https://u:p@evil.example/api/v1/users/me HTTP/1.1"),
            &[401],
        ),
        case("absolute form of a file", first("GET file:///etc/passwd HTTP/1.1"), &[400]),
        case("absolute form that is not canonical", first("GET http://insula//livez HTTP/1.1"), &[404]),
        case("authority form", first("GET insula:80 HTTP/1.1"), &[404]),
        case("asterisk form", first("OPTIONS * HTTP/1.1"), &[404]),
        case("asterisk form of a GET", first("GET * HTTP/1.1"), &[404]),
        case("without a slash", first("GET livez HTTP/1.1"), &[404]),
        case("a script", first("GET javascript:alert(1) HTTP/1.1"), &[404]),
        case("a fragment", first("GET /livez#/nowhere HTTP/1.1"), &[200]),
        case("no target", first("GET HTTP/1.1"), &[400]),
        case("a query alone", first("GET ?x HTTP/1.1"), &[400]),
        case("a space", first("GET /live z HTTP/1.1"), &[400]),
        case("two spaces", first("GET  /livez HTTP/1.1"), &[400]),
        case("NUL", first("GET /live\0z HTTP/1.1"), &[400]),
        case("DEL", first("GET /live\x7fz HTTP/1.1"), &[400]),
        case("no UTF-8", [b"GET /live\xffz HTTP/1.1\r\n", REST.as_bytes()].concat(), &[400]),
        case("UTF-8", first("GET /livé HTTP/1.1"), &[404]),
        case("60 kB", first(&format!("GET /{} HTTP/1.1", "a".repeat(60_000))), &[404]),
        case("60 kB of query", first(&format!("GET /livez?{} HTTP/1.1", "a".repeat(60_000))), &[200]),
        case("70 kB", first(&format!("GET /{} HTTP/1.1", "a".repeat(70_000))), &[431]),
        case("300 kB", first(&format!("GET /{} HTTP/1.1", "a".repeat(300_000))), &[431]),
        case("10,000 slashes", first(&format!("GET {} HTTP/1.1", "/".repeat(10_000))), &[404]),
    ]
}

fn versions() -> Vec<Case> {
    let livez = |version: &str| first(&format!("GET /livez {version}"));
    vec![
        case("HTTP/0.9", "GET /livez\r\n\r\n", &[400]),
        case("HTTP/1.0", "GET /livez HTTP/1.0\r\n\r\n", &[200]),
        case(
            "HTTP/1.0 that stays",
            format!("GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n\r\n{}", livez("HTTP/1.1")),
            &[200, 200],
        ),
        case("HTTP/1.0 that does not", format!("GET /livez HTTP/1.0\r\n\r\n{}", livez("HTTP/1.1")), &[200]),
        case("HTTP/1.2", livez("HTTP/1.2"), &[400]),
        case("HTTP/2.0", livez("HTTP/2.0"), &[400]),
        case("http/1.1", livez("http/1.1"), &[400]),
        case("HTTPS/1.1", livez("HTTPS/1.1"), &[400]),
        case("TLS", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[b'a'; 200][..]].concat(), &[400]),
        case("SMTP", "EHLO example.com\r\nMAIL FROM:<a@b.cd>\r\n", &[400]),
        case("SSH", "SSH-2.0-OpenSSH_9.6\r\n", &[400]),
        case("PROXY", format!("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n{}", livez("HTTP/1.1")), &[400]),
        case("empty lines before", format!("\r\n\r\n{}", livez("HTTP/1.1")), &[200]),
        case("lines that end with LF", livez("HTTP/1.1").replace('\r', ""), &[200]),
        case("three at once", format!("{0}{0}{1}", KEPT, livez("HTTP/1.1")), &[200, 200, 200]),
        case("what follows the last one", format!("{0}{0}", livez("HTTP/1.1")), &[200]),
    ]
}

const KEPT: &str = "GET /livez HTTP/1.1\r\nhost: insula\r\n\r\n";

fn methods() -> Vec<Case> {
    let of = |method: &str, path: &str| first(&format!("{method} {path} HTTP/1.1"));
    let me = "/api/v1/users/me";
    vec![
        case("get", of("get", "/livez"), &[405]),
        case("Get", of("Get", me), &[405]),
        case("BREW", of("BREW", me), &[405]),
        case("TRACE", of("TRACE", me), &[405]),
        case("TRACE of nothing", of("TRACE", "/nothing"), &[404]),
        case("OPTIONS", of("OPTIONS", me), &[405]),
        case("CONNECT", of("CONNECT", "evil.example:443"), &[404]),
        case("CONNECT to a path", of("CONNECT", me), &[405]),
        case("PRI", of("PRI", "*"), &[404]),
        case("PROPFIND", of("PROPFIND", "/nothing"), &[404]),
        case("a bracket", of("GE(T", "/livez"), &[400]),
        case("70 kB", of(&"A".repeat(70_000), "/livez"), &[431]),
        case(
            "a websocket",
            format!(
                "GET {me} HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
            ),
            &[401],
        ),
        case(
            "h2c",
            "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\n\
             http2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
            &[200],
        ),
    ]
}

fn headers() -> Vec<Case> {
    let expecting = |what: &str| {
        let head =
            "POST /api/v1/auth/login HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
        format!("{head}expect: {what}\r\n{REST}{{}}")
    };
    let many = |n: usize| with("x: y\r\n".repeat(n).trim_end().as_bytes());
    vec![
        case("folded", with(b"x-a: b\r\n c"), &[400]),
        case("folded at once", with(b" x-a: b"), &[400]),
        case("CR alone", with(b"x-a: b\rc: d"), &[400]),
        case("NUL in a value", with(b"x-a: b\0c"), &[400]),
        case("NUL in a name", with(b"x\0a: b"), &[400]),
        case("ESC in a value", with(b"x-a: \x1b[2J"), &[400]),
        case("no UTF-8 in a value", with(b"x-a: \xff\xfe"), &[200]),
        case("no UTF-8 in a name", with(b"x\xff: b"), &[400]),
        case("no name", with(b": b"), &[400]),
        case("a space in a name", with(b"x a: b"), &[400]),
        case("no colon", with(b"xa"), &[400]),
        case("100 of them", many(98), &[200]),
        case("101 of them", many(99), &[431]),
        case("10,000 of them", many(10_000), &[431]),
        case("60 kB", with(format!("x: {}", "y".repeat(60_000)).as_bytes()), &[200]),
        case("70 kB", with(format!("x: {}", "y".repeat(70_000)).as_bytes()), &[431]),
        case("a name of 70 kB", with(format!("{}: y", "x".repeat(70_000)).as_bytes()), &[431]),
        case("no UTF-8 in the name of a request", with(b"x-request-id: \xff"), &[200]),
        case("100-continue", expecting("100-continue"), &[100, 422]),
        case("another expectation", expecting("tea"), &[422]),
        // RFC 9112 §3.2.
        case("no host", "GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n", &[400]),
        case("two hosts", with(b"host: evil.example"), &[400]),
        case("the same host twice", with(b"host: insula"), &[400]),
        case(
            "a host that is none",
            "GET /livez HTTP/1.1\r\nhost: a b/c?d\r\nconnection: close\r\n\r\n",
            &[400],
        ),
        case(
            "a host with a user",
            "GET /livez HTTP/1.1\r\nhost: u@insula\r\nconnection: close\r\n\r\n",
            &[400],
        ),
        case("an empty host", "GET /livez HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n", &[200]),
        case("an IPv6 host", "GET /livez HTTP/1.1\r\nhost: [::1]:80\r\nconnection: close\r\n\r\n", &[200]),
    ]
}

#[tokio::test]
async fn a_request_head_is_valid_or_refused() {
    let (server, ada) = acme().await;
    let cases: Vec<_> = [targets(), versions(), methods(), headers()].into_iter().flatten().collect();
    try_all(&server, "heads", &cases).await;
    goes_on(&ada).await;
}

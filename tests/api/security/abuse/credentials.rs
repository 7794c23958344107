//! Malformed credentials: each is refused with the challenge for a login.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{Signer, SigningKey};
use insula_tests::{Browser, Server};
use serde_json::{Value, json};

use super::{acme, count, goes_on, leak};

const ME: &str = "/api/v1/users/me";

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

/// The payload of `token` under a header with these members more, signed by a key of the forger's own.
fn forged(token: &str, members: &Value) -> String {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut parts = token.split('.');
    let mut header = decoded(parts.next().unwrap());
    header.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let own = BASE64.encode(key.verifying_key().to_bytes());
    if let Some(x) = header.pointer_mut("/jwk/x") {
        *x = own.into();
    }
    let signed = format!("{}.{}", BASE64.encode(header.to_string()), parts.next().unwrap());
    format!("{signed}.{}", BASE64.encode(key.sign(signed.as_bytes()).to_bytes()))
}

/// The value of `authorization:` for each name.
fn values(token: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bearer = |token: &str| format!("Bearer {token}").into_bytes();
    let forged = |members: Value| bearer(&forged(token, &members));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let padded = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    vec![
        ("nothing", vec![]),
        ("spaces", b"   ".to_vec()),
        ("the scheme alone", b"Bearer".to_vec()),
        ("a tab for the space", format!("Bearer\t{token}").into_bytes()),
        ("no space", format!("Bearer{token}").into_bytes()),
        ("a colon", format!("Bearer: {token}").into_bytes()),
        ("a comma", format!("Bearer, {token}").into_bytes()),
        ("the scheme twice", format!("Bearer Bearer {token}").into_bytes()),
        ("two tokens, by a comma", format!("Bearer {token}, Bearer {token}").into_bytes()),
        ("quotes", format!("Bearer \"{token}\"").into_bytes()),
        ("a parameter", format!("Bearer token={token}").into_bytes()),
        ("DPoP", format!("DPoP {token}").into_bytes()),
        ("JWT", format!("JWT {token}").into_bytes()),
        ("Basic", b"Basic YWRhQGV4YW1wbGUuY29tOng=".to_vec()),
        ("Basic that is none", b"Basic \xff\xfe".to_vec()),
        ("Digest", b"Digest username=\"ada\", response=\"x\"".to_vec()),
        ("Negotiate", b"Negotiate TlRMTVNTUAABAAAA".to_vec()),
        ("bytes that are no text", b"Bearer \xff\xfe\xfd".to_vec()),
        ("a token with a byte that is no text", [&bearer(token)[..], b"\xe9"].concat()),
        ("UTF-8", bearer(&format!("{token}é"))),
        ("16 kB", bearer(&"x".repeat(16 * 1024))),
        ("60 kB of dots", bearer(&".".repeat(60_000))),
        ("five parts", bearer(&format!("{token}.x.y"))),
        ("two parts", bearer(signed)),
        ("no header", bearer(&format!(".{payload}.{signature}"))),
        ("no payload", bearer(&format!("{header}..{signature}"))),
        ("padding", bearer(&format!("{}.{}.{signature}", padded(header), padded(payload)))),
        ("another alphabet", bearer(&token.replace('-', "+").replace('_', "/").replace("ey", "e+"))),
        ("a header that is no object", bearer(&format!("{}.{payload}.{signature}", BASE64.encode("[]")))),
        ("a header that is deep", bearer(&format!("{}.{payload}.x", BASE64.encode("[".repeat(10_000))))),
        ("a payload that is no object", bearer(&format!("{header}.{}.{signature}", BASE64.encode("7")))),
        ("an own key", forged(json!({}))),
        ("an own key, unnamed", forged(json!({ "kid": null }))),
        ("an own key inside", forged(json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "" } }))),
        ("an own key elsewhere", forged(json!({ "jku": "http://127.0.0.1:9/keys.json" }))),
        ("a certificate elsewhere", forged(json!({ "x5u": "http://127.0.0.1:9/c.pem" }))),
        ("a certificate inside", forged(json!({ "x5c": ["MIIB"] }))),
        ("a kid that is a file", forged(json!({ "kid": "../../../../dev/null" }))),
        ("a kid that is SQL", forged(json!({ "kid": "x' UNION SELECT 'x" }))),
        ("a kid that is an address", forged(json!({ "kid": "http://127.0.0.1:9/" }))),
        ("a kid of 10 kB", forged(json!({ "kid": "k".repeat(10_000) }))),
        ("a kid that is a number", forged(json!({ "kid": 7 }))),
        ("a list of algorithms", forged(json!({ "alg": ["EdDSA", "none"] }))),
        ("something critical", forged(json!({ "crit": ["x"], "x": 1 }))),
        ("an unencoded payload", forged(json!({ "b64": false, "crit": ["b64"] }))),
        ("a compressed one", forged(json!({ "zip": "DEF" }))),
    ]
}

#[tokio::test]
async fn a_token_of_a_wrong_form_is_refused_as_one() {
    let (server, ada) = acme().await;
    let values = values(ada.token());
    let mut complaints = Vec::new();
    for (name, value) in &values {
        for method in ["GET", "DELETE"] {
            let head = format!("{method} {ME} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: ");
            let reply = server.raw([head.as_bytes(), value, b"\r\n\r\n"].concat()).await;
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            if reply.status != 401 || challenge != "Bearer error=\"invalid_token\"" {
                complaints.push(format!("{name}: {} {challenge}", reply.status));
            }
            complaints.extend(leak(&reply).map(|leak| format!("{name}: {leak}")));
        }
    }
    count("tokens", values.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
    goes_on(&ada).await;
}

#[tokio::test]
async fn of_two_credentials_none_is_chosen() {
    let server = Server::builder().env("INSULA_PUBLIC_URL", "https://insula.example").start().await;
    let ada = server.client().register("ada@example.com").await;
    let eve = server.client().register("eve@example.com").await;
    let (browser, _) = Browser::log_in(&server.client(), "https://insula.example", "ada@example.com").await;
    let (at, token, other) = (browser.cookie("at"), ada.token(), eve.token());
    let spaced = format!("{at} ");
    let cases: &[(&str, String, u16)] = &[
        ("two headers", format!("authorization: Bearer {token}\r\nauthorization: Bearer {other}\r\n"), 401),
        (
            "the same header twice",
            format!("authorization: Bearer {token}\r\nauthorization: Bearer {token}\r\n"),
            401,
        ),
        (
            "a header that is empty, and one",
            format!("authorization:\r\nauthorization: Bearer {token}\r\n"),
            401,
        ),
        (
            "a header and a cookie",
            format!("authorization: Bearer {other}\r\ncookie: __Host-at={at}\r\n"),
            200,
        ),
        ("an empty header and a cookie", format!("authorization:\r\ncookie: __Host-at={at}\r\n"), 401),
        (
            "another scheme and a cookie",
            format!("authorization: Basic eA==\r\ncookie: __Host-at={at}\r\n"),
            401,
        ),
        ("the cookie", format!("cookie: __Host-at={at}\r\n"), 200),
        ("the cookie among 400", format!("cookie: {}__Host-at={at}\r\n", "a=b; ".repeat(400)), 200),
        ("the cookie twice", format!("cookie: __Host-at={at}; __Host-at={at}\r\n"), 401),
        ("the cookie in two lines", format!("cookie: __Host-at={at}\r\ncookie: __Host-at=x\r\n"), 401),
        ("the cookie, and an empty one", format!("cookie: __Host-at=; __Host-at={at}\r\n"), 401),
        ("the cookie in quotes", format!("cookie: __Host-at=\"{at}\"\r\n"), 401),
        ("a cookie that goes on", format!("cookie: __Host-at={at}=\r\n"), 401),
        ("a cookie without its prefix", format!("cookie: at={at}\r\n"), 401),
        ("a cookie of another prefix", format!("cookie: __Secure-at={at}\r\n"), 401),
        ("a prefix in lower case", format!("cookie: __host-at={at}\r\n"), 401),
        ("a prefix twice", format!("cookie: __Host-__Host-at={at}\r\n"), 401),
        ("a name in upper case", format!("cookie: __Host-AT={at}\r\n"), 401),
        ("the refresh token", format!("cookie: __Host-at={}\r\n", browser.cookie("rt")), 401),
        ("the CSRF token", format!("cookie: __Host-at={}\r\n", browser.cookie("csrf")), 401),
        ("a cookie of 16 kB", format!("cookie: __Host-at={}\r\n", "x".repeat(16 * 1024)), 401),
        ("a cookie by commas", format!("cookie: a=b, __Host-at={at}\r\n"), 401),
        ("a cookie in a header of old", format!("cookie2: __Host-at={at}\r\n"), 401),
        ("spaces around the cookie", format!("cookie:  __Host-at={spaced}; a=b\r\n"), 200),
        ("the token in another header", format!("x-access-token: {token}\r\n"), 401),
        ("the token for a proxy", format!("proxy-authorization: Bearer {token}\r\n"), 401),
        (
            "somebody named by a proxy",
            "x-forwarded-user: ada@example.com\r\nremote-user: ada\r\n".to_owned(),
            401,
        ),
    ];
    let mut complaints = Vec::new();
    for (name, lines, status) in cases {
        let reply = server.raw_get(ME, lines).await;
        let is_challenged = reply.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer"));
        if reply.status != *status || is_challenged != (*status == 401) {
            complaints.push(format!("{name}: {}", reply.status));
        }
        complaints.extend(leak(&reply).map(|leak| format!("{name}: {leak}")));
    }
    count("credentials", cases.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
    ada.get(ME).await.expect(200);
}

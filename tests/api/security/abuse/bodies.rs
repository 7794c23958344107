//! Ambiguous bodies, which two parsers read differently, and large ones.

use insula_tests::{Client, Reply};
use serde_json::json;

use super::{acme, count, goes_on, leak};

const PATH: &str = "/api/v1/organizations";

async fn send(ada: &Client, content_type: &str, body: Vec<u8>) -> Reply {
    ada.request("POST", PATH).body(content_type, body).await
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// `levels` of arrays in each other.
fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn bodies() -> Vec<(&'static str, Vec<u8>, u16)> {
    let sound = r#"{"name":"A","slug":"second"}"#;
    let text = |text: &str| text.as_bytes().to_vec();
    let members = |n: usize| {
        let members: Vec<_> = (0..n).map(|n| format!(r#""k{n}":{n}"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    vec![
        ("UTF-16, little end first", utf16(sound, u16::to_le_bytes), 400),
        ("UTF-16, big end first", utf16(sound, u16::to_be_bytes), 400),
        ("UTF-16 with its mark", [&[0xff, 0xfe][..], &utf16(sound, u16::to_le_bytes)].concat(), 400),
        ("UTF-32", sound.bytes().flat_map(|byte| [byte, 0, 0, 0]).collect(), 400),
        ("UTF-7", text("+AHsAIg-"), 400),
        ("a mark of UTF-8", text(&format!("\u{feff}{sound}")), 400),
        ("Latin-1", b"{\"name\":\"\xe9\",\"slug\":\"second\"}".to_vec(), 400),
        ("UTF-8 cut in the middle", b"{\"name\":\"\xe2\x82\",\"slug\":\"second\"}".to_vec(), 400),
        ("beyond Unicode", b"{\"name\":\"\xf4\x90\x80\x80\",\"slug\":\"second\"}".to_vec(), 400),
        ("half a pair", text(r#"{"name":"\udbff","slug":"second"}"#), 400),
        ("a pair the wrong way round", text(r#"{"name":"\udc00\ud800","slug":"second"}"#), 400),
        ("half a pair in a key", text(r#"{"\ud83d":1}"#), 400),
        ("an escape that is none", text(r#"{"name":"\x41"}"#), 400),
        ("half an escape", text(r#"{"name":"\u00"}"#), 400),
        ("an escaped NUL in a key", text(r#"{"na\u0000me":"A"}"#), 400),
        ("a raw NUL", b"{\"name\":\"a\0b\"}".to_vec(), 400),
        ("NUL after the end", format!("{sound}\0").into_bytes(), 400),
        ("two values", text(&format!("{sound}{sound}")), 400),
        ("lines of values", text(&format!("{sound}\n{sound}\n")), 400),
        ("a record separator", text(&format!("\u{1e}{sound}\n")), 400),
        ("a comment", text(&format!("{sound}// done")), 400),
        ("a comment before", text(&format!("/* */{sound}")), 400),
        ("a guard against scripts", text(&format!(")]}}',\n{sound}")), 400),
        ("a no-break space", text(&format!("\u{a0}{sound}")), 400),
        ("a key twice, inside", text(r#"{"a":{"b":{"c":1,"c":2}}}"#), 400),
        ("a key twice, in an array", text(r#"[{"c":1,"c":2}]"#), 400),
        ("a key twice, escaped", text(r#"{"slug":"second","\u0073lug":"third","name":"A"}"#), 400),
        ("a key twice, the same value", text(r#"{"name":"A","name":"A","slug":"second"}"#), 400),
        ("an empty key twice", text(r#"{"":1,"":2}"#), 400),
        ("Infinity", text(r#"{"name":Infinity}"#), 400),
        ("-Infinity", text(r#"{"name":-Infinity}"#), 400),
        ("1e999 inside", text(r#"{"a":[1,{"b":1e999}]}"#), 400),
        ("-1e999", text("-1e999"), 400),
        ("a number with a plus", text(r#"{"name":+1}"#), 400),
        ("a hexadecimal number", text(r#"{"name":0x1}"#), 400),
        ("a number without its end", text(r#"{"name":1.}"#), 400),
        ("1e308", text(r#"{"name":1e308}"#), 422),
        ("1e-999", text(r#"{"name":1e-999}"#), 422),
        ("a number of 300 digits", text(&format!(r#"{{"name":{}}}"#, "9".repeat(300))), 422),
        ("a number of 100,000 digits", text(&format!(r#"{{"name":{}}}"#, "9".repeat(100_000))), 400),
        ("a fraction of 100,000 digits", text(&format!(r#"{{"name":0.{}}}"#, "9".repeat(100_000))), 422),
        ("depth 32", deep(32).into_bytes(), 422),
        ("depth 33", deep(33).into_bytes(), 400),
        ("depth 33 below an object", text(&format!(r#"{{"a":{}}}"#, deep(32))), 400),
        ("depth 500,000", deep(500_000).into_bytes(), 400),
        ("depth 500,000 without end", text(&"[".repeat(1_000_000)), 400),
        ("objects without end", text(&r#"{"a":"#.repeat(100_000)), 400),
        ("50,000 unknown members", text(&members(50_000)), 422),
        ("300,000 items", text(&format!("[{}1]", "1,".repeat(300_000))), 422),
        ("a key of 900 kB", text(&format!(r#"{{"{}":1}}"#, "k".repeat(900_000))), 422),
        ("a name of 900 kB", text(&format!(r#"{{"name":"{}","slug":"second"}}"#, "k".repeat(900_000))), 422),
        ("__proto__", text(r#"{"name":"A","slug":"second","__proto__":{"is_superuser":true}}"#), 422),
        ("constructor", text(r#"{"name":"A","slug":"second","constructor":{"prototype":{}}}"#), 422),
        (
            "what only the server sets",
            text(r#"{"name":"A","slug":"second","owner_id":null,"version":9}"#),
            422,
        ),
        ("an operator", text(r#"{"name":{"$ne":null},"slug":"second"}"#), 422),
        ("an array for a text", text(r#"{"name":["A"],"slug":"second"}"#), 422),
        ("a text for the whole", text(&format!("{sound:?}")), 422),
    ]
}

#[tokio::test]
async fn a_body_is_read_in_one_way_or_refused() {
    let (server, ada) = acme().await;
    let mut complaints = Vec::new();
    let bodies = bodies();
    for (name, body, status) in &bodies {
        let reply = send(&ada, "application/json", body.clone()).await;
        if reply.status != *status {
            complaints.push(format!("{name}: {}, not {status}: {}", reply.status, reply.text()));
        }
        complaints.extend(leak(&reply).map(|leak| format!("{name}: {leak}")));
        if reply.body.len() > 20_000 {
            complaints.push(format!("{name}: the answer has {} bytes", reply.body.len()));
        }
        server.client().get("/livez").await.expect(200);
    }
    count("bodies", bodies.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
    let second = "SELECT count(*) FROM organizations WHERE slug = 'second'";
    assert_eq!(server.database().await.scalar(second).await, 0);
    goes_on(&ada).await;
    // What is unusual and sound is taken as it is.
    let pair = br#" { "slug" : "second", "name" : "\ud83d\ude00\u0041" } "#;
    let made = send(&ada, "application/json", pair.to_vec()).await.expect(201);
    assert_eq!(made["name"], "😀A");
}

#[tokio::test]
async fn a_body_says_what_it_is_in_one_way_or_is_refused() {
    let (server, ada) = acme().await;
    let body = json!({ "name": "A", "slug": "second" }).to_string();
    let lines = |lines: &str| {
        let head = format!("POST {PATH} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer");
        format!("{head} {}\r\n{lines}\r\ncontent-length: {}\r\n\r\n{body}", ada.token(), body.len())
    };
    const JSON: &str = "content-type: application/json";
    let cases = [
        "x: no type at all".to_owned(),
        "content-type:".to_owned(),
        "content-type: json".to_owned(),
        "content-type: */*".to_owned(),
        "content-type: application/*".to_owned(),
        "content-type: application/jsonx".to_owned(),
        "content-type: application/json-patch+json".to_owned(),
        "content-type: application/vnd.api+json".to_owned(),
        format!("{JSON}; charset=utf-16"),
        format!("{JSON}; charset=iso-8859-1"),
        format!("{JSON}; charset=utf-8; charset=utf-16"),
        format!("{JSON}; charset=utf-8; boundary=x"),
        format!("{JSON}; boundary=x"),
        format!("{JSON}, {JSON}"),
        format!("{JSON}\r\ncontent-type: text/plain"),
        format!("content-type: text/plain\r\n{JSON}"),
        format!("{JSON}\r\ncontent-encoding: gzip"),
        format!("{JSON}\r\ncontent-encoding: GZIP"),
        format!("{JSON}\r\ncontent-encoding: zstd"),
        format!("{JSON}\r\ncontent-encoding: identity, gzip"),
        format!("{JSON}\r\ncontent-encoding: identity\r\ncontent-encoding: gzip"),
        format!("{JSON}\r\ncontent-encoding:"),
    ];
    let mut complaints = Vec::new();
    for case in &cases {
        let reply = server.raw(lines(case)).await;
        if reply.status != 415 {
            complaints.push(format!("{case}: {}", reply.status));
        }
        complaints.extend(leak(&reply).map(|leak| format!("{case}: {leak}")));
    }
    count("types of bodies", cases.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
    server.raw(lines(&format!("{JSON};charset=UTF-8\r\ncontent-encoding: identity"))).await.expect(201);
}

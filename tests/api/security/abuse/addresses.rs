//! One e-mail address, one account: addresses that look alike, in every operation that takes one.

use insula_tests::{Client, Inbox, PASSWORD, Server};
use serde_json::json;

use super::{count, leak};

/// Other spellings of `ada@example.com`.
const SAME: &[(&str, &str)] = &[
    ("upper case", "ADA@EXAMPLE.COM"),
    ("spaces around", "  ada@example.com\t"),
    ("full-width letters in the domain", "ada@ｅｘａｍｐｌｅ.com"),
    ("a full-width dot", "ada@example．com"),
    ("an ideographic dot", "ada@example。com"),
    ("a letter in a circle", "ada@ⓔxample.com"),
    ("a soft hyphen in the domain", "ada@exam\u{ad}ple.com"),
    ("a ligature in the domain", "ada@example.ᶜom"),
];

/// No addresses at all.
const NONE: &[(&str, &str)] = &[
    ("a full-width @", "ada＠example.com"),
    ("a small @", "ada﹫example.com"),
    ("full-width letters in the name", "ａda@example.com"),
    ("a Cyrillic letter in the name", "аda@example.com"),
    ("a mark on a letter in the name", "a\u{301}da@example.com"),
    ("a dotless i", "adaı@example.com"),
    ("a zero-width space", "ada\u{200b}@example.com"),
    ("a zero-width joiner", "ada\u{200d}@example.com"),
    ("right to left", "ada\u{202e}@example.com"),
    ("a dot at the end", "ada@example.com."),
    ("two dots at the end", "ada@example.com.."),
    ("a dot before the @", "ada.@example.com"),
    ("a dot at the start", ".ada@example.com"),
    ("two dots", "a..da@example.com"),
    ("quotes", "\"ada\"@example.com"),
    ("quotes with a space", "\"a da\"@example.com"),
    ("a comment", "ada(comment)@example.com"),
    ("a comment in the domain", "ada@(comment)example.com"),
    ("a name and brackets", "Ada <ada@example.com>"),
    ("brackets", "<ada@example.com>"),
    ("a link", "mailto:ada@example.com?bcc=eve@example.com"),
    ("two addresses", "ada@example.com,eve@example.com"),
    ("two addresses by a semicolon", "ada@example.com;eve@example.com"),
    ("two @", "ada@eve@example.com"),
    ("a header line", "ada@example.com\r\nBcc: eve@example.com"),
    ("a new line alone", "ada@example.com\nx"),
    ("a new line, encoded", "ada@example.com%0aBcc:eve@example.com"),
    ("a tab", "ada\t@example.com"),
    ("DEL", "ada\u{7f}@example.com"),
    ("a control character of C1", "ada\u{85}@example.com"),
    ("a space in the domain", "ada@exam ple.com"),
    ("a no-break space in the domain", "ada@exam\u{a0}ple.com"),
    ("a slash that is none", "ada@example.com\u{2044}x"),
    ("a sign for a domain", "ada@☃.example"),
    ("a sign for a domain, in punycode", "ada@xn--n3h.example"),
    ("an underscore in the domain", "ada@exam_ple.com"),
    ("a hyphen at the edge", "ada@-example.com"),
    ("an address of IPv4", "ada@[192.0.2.1]"),
    ("an address of IPv6", "ada@[IPv6:2001:db8::1]"),
    ("no top", "ada@localhost"),
    ("punycode that is none", "ada@xn--a.com"),
    ("an invisible domain", "ada@\u{ad}.com"),
    ("a way through hosts", "ada%example.com@example.org@"),
    ("a route", "@example.org:ada@example.com"),
];

/// Addresses of their own.
const OTHERS: &[(&str, &str, &str)] = &[
    ("plus", "ada+eve@example.com", "ada+eve@example.com"),
    ("another plus", "ada+@example.com", "ada+@example.com"),
    ("dots of one provider", "a.d.a@example.com", "a.d.a@example.com"),
    ("a subdomain", "ada@mail.example.com", "ada@mail.example.com"),
    ("a Cyrillic letter in the domain", "ada@еxample.com", "ada@xn--xample-2of.com"),
    ("a sharp s", "ada@straße.example", "ada@xn--strae-oqa.example"),
    ("a sharp s, spelled out", "ada@strasse.example", "ada@strasse.example"),
    ("an apostrophe", "o'ada@example.com", "o'ada@example.com"),
    ("a statement", "ada'--@example.com", "ada'--@example.com"),
    ("a percent sign", "ada%eve@example.com", "ada%eve@example.com"),
    ("braces", "{{7*7}}@example.com", "{{7*7}}@example.com"),
];

async fn register(client: &Client, email: &str) -> insula_tests::Reply {
    client.post("/api/v1/auth/register", json!({ "email": email, "password": PASSWORD })).await
}

async fn start() -> (Server, Inbox, Client) {
    let server = Server::builder().with_mail().start().await;
    let inbox = Inbox::of(&server).await;
    register(&server.client(), "ada@example.com").await.expect(201);
    server.database().await.execute("UPDATE users SET email_verified_at = created_at").await;
    let ada = server.client().log_in("ada@example.com", PASSWORD).await;
    ada.create_organization("acme").await;
    (server, inbox, ada)
}

#[tokio::test]
async fn an_address_spelled_otherwise_is_the_same_account_everywhere() {
    let (server, inbox, ada) = start().await;
    for (name, email) in SAME {
        let taken = register(&server.client(), email).await;
        assert_eq!(taken.status, 409, "{name}: {}", taken.text());
        server.client().log_in(email, PASSWORD).await;
        server.client().post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(202);
        let mail = inbox.last("send_password_reset").await;
        assert_eq!(mail.to.to_lowercase(), "ada@example.com", "{name}");
        let invited = ada.invite("acme", email, &["viewer"]).await;
        assert_eq!(invited.status, 409, "{name}: {}", invited.text());
    }
    count("spellings of one address", SAME.len() * 4);
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn what_is_no_address_is_refused_everywhere() {
    let (server, inbox, ada) = start().await;
    let before = inbox.kinds().await;
    let long = [format!("{}@example.com", "a".repeat(288)), format!("a@{}.com", "d.".repeat(148))];
    let long = long.iter().map(|email| ("300 characters", &**email));
    let addresses: Vec<_> = NONE.iter().copied().chain(long).collect();
    let mut complaints = Vec::new();
    for (name, email) in &addresses {
        let anybody = server.client();
        let log_in = json!({ "email": email, "password": PASSWORD });
        for (operation, reply) in [
            ("register", register(&anybody, email).await),
            ("forgot", anybody.post("/api/v1/auth/password/forgot", json!({ "email": email })).await),
            ("invite", ada.invite("acme", email, &["viewer"]).await),
            ("log in", anybody.post("/api/v1/auth/login", log_in).await),
        ] {
            let expected = if operation == "log in" { &[401, 422][..] } else { &[422] };
            if !expected.contains(&reply.status) {
                complaints.push(format!("{name}: {operation}: {}", reply.status));
            }
            complaints.extend(leak(&reply).map(|leak| format!("{name}: {operation}: {leak}")));
        }
    }
    count("no addresses", addresses.len() * 4);
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(inbox.kinds().await, before, "nobody was written to");
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn an_address_that_only_looks_alike_is_another_account() {
    let (server, inbox, _) = start().await;
    for (name, email, _) in OTHERS {
        let made = register(&server.client(), email).await;
        assert_eq!(made.status, 201, "{name}: {}", made.text());
        let mail = inbox.last("send_verification").await;
        assert_ne!(mail.to, "ada@example.com", "{name}");
    }
    count("addresses that look alike", OTHERS.len());
    let database = server.database().await;
    let mut kept =
        database.texts("SELECT email_canonical FROM users WHERE email_canonical <> 'ada@example.com'").await;
    let mut expected: Vec<_> = OTHERS.iter().map(|(_, _, canonical)| (*canonical).to_owned()).collect();
    kept.sort();
    expected.sort();
    assert_eq!(kept, expected);
}

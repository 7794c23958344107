//! Texts at their limits and beyond.

use insula_tests::{OrgWithOwner, PASSWORD, Server};
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/auth/register";
const FOUND: &str = "/api/v1/organizations";
const PROJECTS: &str = "/api/v1/organizations/{org}/projects";

/// A body that is sound but for one field.
fn body(path: &str, field: &str, text: &str) -> Value {
    let mut body = match path {
        REGISTER => json!({ "email": "bob@example.com", "password": PASSWORD }),
        FOUND => json!({ "name": "Second", "slug": "second" }),
        _ => json!({ "code": "ENGINE", "name": "Engine" }),
    };
    body[field] = text.into();
    body
}

fn n(letter: &str, number: usize) -> String {
    letter.repeat(number)
}

/// An address with so many characters before and after its @.
fn address(local: usize, domain: usize) -> String {
    let labels = [n("d", 60), n("e", 60), n("f", 62), "com".to_owned()].join(".");
    format!("{}@{}", n("a", local), &labels[labels.len() - domain..])
}

#[tokio::test]
async fn a_text_beyond_its_bounds_is_refused() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (path, field, text, code) in [
        (REGISTER, "email", address(250, 5), "TOO_LONG"),
        (REGISTER, "email", address(64, 187) + "com", "TOO_LONG"),
        (REGISTER, "email", address(65, 20), "INVALID_FORMAT"),
        (REGISTER, "password", String::new(), "TOO_SHORT"),
        (REGISTER, "password", n("x", 7), "TOO_SHORT"),
        (REGISTER, "password", n("x", 129), "TOO_LONG"),
        (REGISTER, "password", n("ä", 129), "TOO_LONG"),
        (REGISTER, "username", n("a", 2), "TOO_SHORT"),
        (REGISTER, "username", n("a", 31), "TOO_LONG"),
        (REGISTER, "first_name", n("a", 101), "TOO_LONG"),
        (REGISTER, "last_name", String::new(), "TOO_SHORT"),
        (FOUND, "slug", n("a", 1), "TOO_SHORT"),
        (FOUND, "slug", n("a", 64), "TOO_LONG"),
        (PROJECTS, "code", String::new(), "TOO_SHORT"),
        (PROJECTS, "code", n("a", 21), "TOO_LONG"),
        (PROJECTS, "color", "#12345".to_owned(), "TOO_SHORT"),
        (PROJECTS, "color", "#1234567".to_owned(), "TOO_LONG"),
    ] {
        let reply = owner.post(path, body(path, field, &text)).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("{field} {code}")], "{text:?}");
    }
}

#[tokio::test]
async fn a_text_of_another_form_is_refused() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (path, field, code, texts) in [
        (
            REGISTER,
            "email",
            "INVALID_FORMAT",
            &[
                "a@b",
                "@b.cd",
                "a b@c.de",
                "a@b..cd",
                "\"a\"@b.cd",
                "ä@b.cd",
                "a@b.cd,c@d.ef",
                "a@[127.0.0.1]",
            ][..],
        ),
        (
            REGISTER,
            "email",
            "INVALID_FORMAT",
            &["a\u{7}b@c.de", "a@b.cd\r\nBcc: x", "a@b.cd\u{202e}", ".a@b.cd"],
        ),
        (REGISTER, "username", "INVALID_FORMAT", &["a@b.cd", "-ab", "a b c", "äbc", "abc\n"]),
        (FOUND, "slug", "INVALID_FORMAT", &["-ab", "ab-", "a--b", "Acme", "a_b", "äb", "a b", "ab\n"]),
        (FOUND, "slug", "RESERVED", &["admin", "api", "new", "me", "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091"]),
        (PROJECTS, "code", "INVALID_FORMAT", &["-a", ".a", "a b", "ä", "a/b", "%00", "a\n"]),
        (PROJECTS, "color", "INVALID_FORMAT", &["#12345g", "1234567", "#ＦＦＦＦＦＦ"]),
    ] {
        for text in texts {
            let reply = owner.post(path, body(path, field, text)).await;
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), [format!("{field} {code}")], "{text:?}");
        }
    }
}

#[tokio::test]
async fn a_name_has_letters_and_no_control_characters() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (text, code) in [
        ("", "TOO_SHORT"),
        ("  ", "TOO_SHORT"),
        (&*n("x", 101), "TOO_LONG"),
        ("a\tb", "INVALID_FORMAT"),
        ("a\u{1b}[2J", "INVALID_FORMAT"),
        ("a\u{85}", "INVALID_FORMAT"),
    ] {
        for path in [FOUND, PROJECTS] {
            let reply = owner.post(path, body(path, "name", text)).await;
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), [format!("name {code}")], "{text:?}");
        }
    }
}

#[tokio::test]
async fn a_text_at_its_bounds_is_taken_as_it_is() {
    // These names are no test's own.
    let server = OrgWithOwner::alone().await;
    let owner = &server.owner;
    for (path, field, text) in [
        (REGISTER, "email", address(64, 187)),
        (REGISTER, "email", "a@b.cd".to_owned()),
        (FOUND, "slug", n("a", 63)),
        (FOUND, "slug", "a0".to_owned()),
        (PROJECTS, "code", n("a", 20)),
        (PROJECTS, "code", "0".to_owned()),
        (PROJECTS, "name", n("ä", 100)),
    ] {
        assert_eq!(owner.post(path, body(path, field, &text)).await.expect(201)[field], text);
    }
    let named =
        json!({ "email": "c@d.ef", "password": PASSWORD, "username": n("a", 30), "last_name": n("ß", 100) });
    let made = owner.post(REGISTER, named).await.expect(201);
    assert_eq!((&made["username"], &made["last_name"]), (&json!(n("a", 30)), &json!(n("ß", 100))));
}

#[tokio::test]
async fn a_password_is_any_eight_to_128_characters() {
    let server = Server::shared().await;
    for (at, password) in
        ["kjwbqzxv".to_owned(), n("😀", 128), " leading and trailing ".to_owned()].iter().enumerate()
    {
        let email = server.email(&format!("p{at}"));
        let person = json!({ "email": email, "password": password });
        server.client().post(REGISTER, person).await.expect(201);
        server.client().log_in(&email, password).await;
        let wrong = json!({ "email": email, "password": password.trim().to_uppercase() + "x" });
        server.client().post("/api/v1/auth/login", wrong).await.problem(401, "INVALID_CREDENTIALS");
    }
}

//! Invalid bodies: every operation with a body refuses them, names the errors and changes nothing.

use insula_tests::{Client, OrgWithOwner, PASSWORD, Reply, unique};
use serde_json::{Value, json};

/// An operation that takes a body, and a body that it takes.
struct BodyOperation {
    caller: Client,
    method: &'static str,
    path: String,
    good: Value,
}

impl BodyOperation {
    async fn send(&self, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.caller.request(self.method, &self.path).body(content_type, body).await
    }

    async fn json(&self, body: impl Into<Vec<u8>>) -> Reply {
        self.send("application/json", body).await
    }

    /// The head of a raw request, up to its own headers.
    fn head(&self) -> String {
        let token = if self.path.contains("/auth/") { "x" } else { self.caller.token() };
        format!(
            "{} {} HTTP/1.1\r\nhost: insula\r\nauthorization: Bearer {token}\r\nconnection: close\r\n",
            self.method, self.path
        )
    }
}

/// All of them, each good for one good request.
async fn operations(server: &OrgWithOwner) -> Vec<BodyOperation> {
    let anybody = server.client();
    let (ada, projects) = (&server.owner, &*server.path("/projects"));
    let project = ada.post(projects, json!({ "code": "P", "name": "P" })).await;
    project.expect(201);
    let operation = |caller: &Client, method, path: &str, good| BodyOperation {
        caller: caller.clone(),
        method,
        path: path.to_owned(),
        good,
    };
    vec![
        operation(
            &anybody,
            "POST",
            "/api/v1/auth/register",
            json!({ "email": server.email("bob"), "password": PASSWORD }),
        ),
        operation(
            &anybody,
            "POST",
            "/api/v1/auth/login",
            json!({ "email": server.email("ada"), "password": PASSWORD }),
        ),
        operation(
            ada,
            "POST",
            "/api/v1/organizations",
            json!({ "name": "Second", "slug": unique("second") }),
        ),
        operation(ada, "POST", projects, json!({ "code": "Q", "name": "Q" })),
        operation(ada, "PATCH", project.header("location").unwrap(), json!({ "code": "R", "name": "R" })),
        operation(ada, "PATCH", "/api/v1/users/me", json!({ "first_name": "Ada" })),
        operation(
            ada,
            "PUT",
            "/api/v1/users/me/password",
            json!({ "current_password": PASSWORD, "password": "Copper-harbour-92-violin" }),
        ),
    ]
}

/// Everything that the operations could have changed, on a server of its own.
async fn rows(server: &OrgWithOwner) -> String {
    let database = server.database().await;
    let mut rows = Vec::new();
    for table in ["users", "sessions", "organizations", "projects", "audit_events", "outbox"] {
        rows.push(database.scalar(&format!("SELECT count(*) FROM {table}")).await.to_string());
    }
    rows.join(" ") + &database.text("SELECT name FROM projects").await
}

#[tokio::test]
async fn what_is_not_one_json_value_is_refused() {
    let server = OrgWithOwner::alone().await;
    let operations = operations(&server).await;
    let before = rows(&server).await;
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(32), "]".repeat(32));
    let bodies: [(&[u8], &str); 20] = [
        (b"", " INVALID_JSON"),
        (b" ", " INVALID_JSON"),
        (b"{\"", " INVALID_JSON"),
        (b"{} {}", " INVALID_JSON"),
        (b"{} x", " INVALID_JSON"),
        (b"{name:1}", " INVALID_JSON"),
        (b"{'name':1}", " INVALID_JSON"),
        (b"\xef\xbb\xbf{}", " INVALID_JSON"),
        (b"{\"name\":\"a\",}", " INVALID_JSON"),
        (b"{\"name\":1e999}", "name INVALID_JSON"),
        (b"{\"name\":NaN}", "name INVALID_JSON"),
        (b"{\"name\":\"\\ud800\"}", "name INVALID_JSON"),
        (b"{\"name\":\"a\nb\"}", "name INVALID_JSON"),
        (b"{\"name\":\"\xff\"}", " INVALID_UTF8"),
        (b"{\"name\":\"\xed\xa0\x80\"}", " INVALID_UTF8"),
        (b"{\"name\":\"\xc0\x80\"}", " INVALID_UTF8"),
        (b"{\"name\":\"a\\u0000\"}", "name NUL_CHARACTER"),
        (b"{\"name\":\"a\",\"name\":\"b\"}", "name DUPLICATE_KEY"),
        (b"{\"name\":\"a\",\"n\\u0061me\":\"b\"}", "name DUPLICATE_KEY"),
        (deep.as_bytes(), "TOO_DEEP"),
    ];
    for operation in &operations {
        for (body, fault) in bodies {
            let reply = operation.json(body).await;
            reply.problem(400, "BAD_REQUEST");
            let faults = reply.faults();
            assert!(
                faults.len() == 1 && faults[0].ends_with(fault),
                "{} {faults:?}",
                String::from_utf8_lossy(body)
            );
        }
    }
    assert_eq!(rows(&server).await, before);
}

#[tokio::test]
async fn what_is_no_object_is_refused() {
    let server = OrgWithOwner::start().await;
    for operation in operations(&server).await {
        for body in ["[]", "null", "1", "\"text\"", "true", "[{}]"] {
            operation.json(body).await.problem(422, "VALIDATION_FAILED");
        }
    }
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let server = OrgWithOwner::start().await;
    for operation in operations(&server).await {
        let mut body = json!({ "unknown": 1, "Name": "x", "__proto__": {}, "": 0 });
        let mut expected =
            vec![" UNKNOWN_FIELD", "Name UNKNOWN_FIELD", "__proto__ UNKNOWN_FIELD", "unknown UNKNOWN_FIELD"];
        let wrong: Vec<_> =
            operation.good.as_object().unwrap().keys().map(|field| format!("{field} WRONG_TYPE")).collect();
        expected.extend(wrong.iter().map(String::as_str));
        expected.sort_unstable();
        for value in [json!(7), json!(true), json!([]), json!({ "a": 1 })] {
            for field in operation.good.as_object().unwrap().keys() {
                body[field] = value.clone();
            }
            let reply = operation.json(body.to_string()).await;
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), expected, "{}", operation.path);
        }
    }
}

/// A body of nothing but faults must not make an answer many times its size.
#[tokio::test]
async fn of_many_wrong_fields_the_first_are_named() {
    let server = OrgWithOwner::start().await;
    let operations = operations(&server).await;
    for operation in &operations {
        let mut body = operation.good.clone();
        for n in 0..2_000 {
            body[format!("wrong{n}")] = json!(n);
        }
        let reply = operation.json(body.to_string()).await;
        let problem = reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(50), "{}", operation.path);
        assert!(reply.body.len() < 16 * 1024, "{}", reply.body.len());
    }
    // What is sound by its form, and wrong by the rules.
    let unknown: Vec<_> = (0..90).map(|n| format!("x:{n}")).collect();
    let role = json!({ "name": "Lead", "permissions": unknown });
    let refused = operations[2].caller.post("/api/v1/organizations/{org}/roles", role).await;
    assert_eq!(refused.problem(422, "VALIDATION_FAILED")["errors"].as_array().map(Vec::len), Some(50));
}

#[tokio::test]
async fn what_is_required_is_named_when_it_is_missing() {
    let server = OrgWithOwner::start().await;
    for operation in operations(&server).await.iter().filter(|operation| operation.method == "POST") {
        let reply = operation.json("{}").await;
        reply.problem(422, "VALIDATION_FAILED");
        for (field, value) in
            [("email", "REQUIRED"), ("password", "REQUIRED"), ("slug", "REQUIRED"), ("code", "REQUIRED")]
        {
            let is_asked = operation.good.get(field).is_some()
                && !(field == "email" && operation.path.ends_with("login"));
            assert_eq!(
                reply.faults().contains(&format!("{field} {value}")),
                is_asked,
                "{} {field}",
                operation.path
            );
        }
    }
}

#[tokio::test]
async fn a_body_of_another_kind_is_refused() {
    let server = OrgWithOwner::alone().await;
    let operations = operations(&server).await;
    let before = rows(&server).await;
    for operation in &operations {
        let body = operation.good.to_string();
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "application/json; charset=latin1",
            "application/json, text/plain",
            "application/problem+json",
            "",
        ] {
            operation.send(content_type, body.clone()).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        for encoding in ["gzip", "br", "deflate", "x"] {
            let request = operation
                .caller
                .request(operation.method, &operation.path)
                .body("application/json", body.clone());
            request.header("content-encoding", encoding).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        if operation.method == "POST" {
            operation
                .send("application/merge-patch+json", body.clone())
                .await
                .problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        let untyped = format!("{}content-length: {}\r\n\r\n{body}", operation.head(), body.len());
        server.raw(untyped).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    assert_eq!(rows(&server).await, before);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused_however_it_is_sent() {
    let server = OrgWithOwner::alone().await;
    let operations = operations(&server).await;
    let before = rows(&server).await;
    for operation in &operations {
        let head = format!("{}content-type: application/json\r\n", operation.head());
        server.raw(format!("{head}content-length: 1048577\r\n\r\n")).await.problem(413, "PAYLOAD_TOO_LARGE");
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).repeat(17);
        server
            .raw(format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"))
            .await
            .problem(413, "PAYLOAD_TOO_LARGE");
        // A body of the maximum size is read and is empty.
        operation.json(" ".repeat(1 << 20)).await.problem(400, "BAD_REQUEST");
    }
    assert_eq!(rows(&server).await, before);
}

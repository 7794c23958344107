//! Every code that the document lists can be met, and none that it does not.

use std::collections::BTreeSet;

use insula_tests::{Client, Inbox, PASSWORD, Reply, Server, Vault, eventually};
use serde_json::{Value, json};

/// The codes that were met.
#[derive(Default)]
struct Met(BTreeSet<String>);

impl Met {
    #[track_caller]
    fn note(&mut self, reply: &Reply, status: u16, code: &str) -> Value {
        self.0.insert(code.to_owned());
        reply.problem(status, code)
    }
}

/// An organization of Ada's with one project; gives the paths of its projects and of that one.
async fn organization(ada: &Client, slug: &str) -> (String, String) {
    ada.found(slug).await;
    let projects = format!("/api/v1/organizations/{slug}/projects");
    let made = ada.post(&projects, project("ENGINE")).header("idempotency-key", "key-1").await.expect(201);
    let path = format!("{projects}/{}", made["id"].as_str().unwrap());
    (projects, path)
}

fn project(code: &str) -> Value {
    json!({ "code": code, "name": "Engine" })
}

/// Says that a body follows, and does not send it.
async fn never_finishes(server: &Server) -> Reply {
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: insula\r\ncontent-type: application/json\r\n";
    server.raw(format!("{head}content-length: 100\r\n\r\n{{")).await
}

#[tokio::test]
async fn every_documented_code_can_be_met() {
    let (server, operator) = Server::with_operator().await;
    // The one that takes its time goes first and is asked last.
    let (slow, (mut met, documented)) =
        tokio::join!(never_finishes(&server), meet_the_others(&server, &operator));
    met.note(&slow, 408, "REQUEST_TIMEOUT");
    assert_eq!(met.0, documented);
}

async fn meet_the_others(server: &Server, operator: &Client) -> (Met, BTreeSet<String>) {
    let mut met = Met::default();
    let (anybody, vault) = (server.client(), server.vault().await);
    let ada = anybody.register("ada@example.com").await;
    let (projects, path) = organization(&ada, "acme").await;

    met.note(&ada.request("POST", &projects).body("application/json", "{").await, 400, "BAD_REQUEST");
    met.note(&ada.post(&projects, json!({})).await, 422, "VALIDATION_FAILED");
    met.note(&ada.request("POST", &projects).body("text/plain", "x").await, 415, "UNSUPPORTED_MEDIA_TYPE");
    let large = ada.request("POST", &projects).body("application/json", vec![b' '; (1 << 20) + 1]);
    met.note(&large.await, 413, "PAYLOAD_TOO_LARGE");
    met.note(&ada.get("/nowhere").await, 404, "NOT_FOUND");
    met.note(&ada.put(&projects, json!({})).await, 405, "METHOD_NOT_ALLOWED");
    met.note(&ada.get(&format!("{projects}?cursor=x")).await, 422, "INVALID_CURSOR");
    met.note(&ada.delete(&path).header("if-match", "\"9\"").await, 412, "PRECONDITION_FAILED");
    met.note(&ada.post(&projects, project("engine")).await, 409, "PROJECT_CODE_TAKEN");
    let other = ada.post(&projects, project("OTHER")).header("idempotency-key", "key-1");
    met.note(&other.await, 422, "IDEMPOTENCY_MISMATCH");
    let again = json!({ "name": "Acme", "slug": "acme" });
    met.note(&ada.post("/api/v1/organizations", again).await, 409, "SLUG_TAKEN");

    people(&mut met, &anybody, &vault).await;
    links(&mut met).await;
    met.note(&ada.delete("/api/v1/users/me").await, 409, "LAST_OWNER");
    met.note(&operator.delete("/api/v1/users/me").await, 409, "LAST_SUPERUSER");
    vault.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    met.note(&ada.delete("/api/v1/users/me").await, 403, "REAUTH_REQUIRED");
    organizations(&mut met, &ada, &vault).await;
    waiting(&mut met, &ada, &vault, (&projects, &path)).await;

    // A rule of the database that the program has no word for.
    vault.execute("CREATE UNIQUE INDEX projects_color ON projects (color)").await;
    let colored = |code: &str| json!({ "code": code, "name": "Engine", "color": "#000000" });
    ada.post(&projects, colored("C1")).await.expect(201);
    met.note(&ada.post(&projects, colored("C2")).await, 409, "CONFLICT");

    internal(&mut met, server, &ada, (&vault, &path)).await;
    let document = anybody.get("/api/v1/openapi.json").await.expect(200);
    let codes =
        document["components"]["schemas"]["Problem"]["properties"]["error"]["enum"].as_array().unwrap();
    let mut documented: BTreeSet<_> = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    if let Vault::Sqlite(_) = vault {
        // Its one writer is waited for before a key could be seen to be in flight: 503 there.
        assert!(documented.remove("IDEMPOTENCY_IN_FLIGHT"));
    }
    (met, documented)
}

/// What is about accounts and log-ins.
async fn people(met: &mut Met, anybody: &Client, vault: &Vault) {
    met.note(&anybody.get("/api/v1/users/me").await, 401, "UNAUTHENTICATED");
    met.note(&anybody.bearer("x").get("/api/v1/users/me").await, 401, "INVALID_TOKEN");
    let (register, log_in) = ("/api/v1/auth/register", "/api/v1/auth/login");
    let eve = json!({ "email": "eve@example.com", "password": PASSWORD, "username": "eve" });
    anybody.post(register, eve).await.expect(201);
    let again = json!({ "email": "eve@example.com", "password": PASSWORD });
    met.note(&anybody.post(register, again).await, 409, "EMAIL_TAKEN");
    let namesake = json!({ "email": "eva@example.com", "password": PASSWORD, "username": "eve" });
    met.note(&anybody.post(register, namesake).await, 409, "USERNAME_TAKEN");
    let by_cookie = json!({ "username": "eve", "password": PASSWORD, "transport": "cookie" });
    met.note(&anybody.post(log_in, by_cookie).await, 403, "CSRF_FAILED");
    let weak = json!({ "email": "eva@example.com", "password": "password123" });
    met.note(&anybody.post(register, weak).await, 422, "WEAK_PASSWORD");
    let wrong = json!({ "username": "eve", "password": "wrong" });
    met.note(&anybody.post(log_in, wrong).await, 401, "INVALID_CREDENTIALS");
    let signed_in = anybody.log_in("eve@example.com", PASSWORD).await;
    let reauthenticate = signed_in.post("/api/v1/auth/reauthenticate", json!({ "password": "wrong" }));
    met.note(&reauthenticate.await, 422, "PASSWORD_MISMATCH");
    vault.execute("UPDATE users SET is_active = false WHERE username = 'eve'").await;
    let right = json!({ "username": "eve", "password": PASSWORD });
    met.note(&anybody.post(log_in, right).await, 403, "INACTIVE_USER");
}

/// What is about mailed links.
async fn links(met: &mut Met) {
    let server = Server::builder().env("INSULA_SMTP_URL", "smtp://localhost").start().await;
    let eve = server.client().register("eve@example.com").await;
    met.note(&eve.post("/api/v1/organizations", json!({})).await, 403, "EMAIL_UNVERIFIED");
    let used = json!({ "token": "used" });
    met.note(&eve.post("/api/v1/auth/email/verify", used).await, 410, "LINK_EXPIRED");
    server
        .client()
        .post("/api/v1/auth/password/forgot", json!({ "email": "eve@example.com" }))
        .await
        .expect(202);
    let token = Inbox::of(&server).await.last("send_password_reset").await.token;
    let weak = json!({ "token": token, "password": "password123" });
    met.note(&server.client().post("/api/v1/auth/password/reset", weak).await, 422, "WEAK_PASSWORD");
}

/// What an organization, or one's place in it, can be like.
async fn organizations(met: &mut Met, ada: &Client, vault: &Vault) {
    for (change, status, code) in [
        ("UPDATE organizations SET status = 'suspended' WHERE slug = 'SLUG'", 403, "ORGANIZATION_SUSPENDED"),
        ("UPDATE organizations SET deleted_at = created_at WHERE slug = 'SLUG'", 410, "ORGANIZATION_DELETED"),
        (
            "DELETE FROM member_roles WHERE organization_id IN (SELECT id FROM organizations WHERE slug = 'SLUG')",
            403,
            "FORBIDDEN",
        ),
    ] {
        let slug = code.to_lowercase().replace('_', "-");
        let (_, path) = organization(ada, &slug).await;
        assert!(vault.execute(&change.replace("SLUG", &slug)).await > 0);
        met.note(&ada.patch(&path, json!({ "name": "x" })).await, status, code);
    }
}

/// What is answered when somebody else's change takes too long.
async fn waiting(met: &mut Met, ada: &Client, vault: &Vault, (projects, path): (&str, &str)) {
    let held = vault.hold("UPDATE projects SET id = id").await;
    let reply = ada.patch(path, json!({ "name": "x" })).await;
    let problem = met.note(&reply, 503, "UNAVAILABLE");
    assert_eq!((reply.header("retry-after"), &problem["retry_after"]), (Some("1"), &json!(1)));
    held.release().await;
    ada.patch(path, json!({ "name": "x" })).await.expect(200);

    if let Vault::Postgres(_) = vault {
        let flying = "INSERT INTO idempotency_keys SELECT (jsonb_populate_record(NULL::idempotency_keys, to_jsonb(k) ||
            jsonb_build_object('id', gen_random_uuid(), 'key', 'flying'))).* FROM idempotency_keys k";
        let held = vault.hold(flying).await;
        let reply = ada.post(projects, project("FLYING")).header("idempotency-key", "flying").await;
        met.note(&reply, 409, "IDEMPOTENCY_IN_FLIGHT");
        held.release().await;
        ada.post(projects, project("FLYING")).header("idempotency-key", "flying").await.expect(201);
    }
}

/// A failure of ours tells the client nothing, and the log everything, once.
async fn internal(met: &mut Met, server: &Server, ada: &Client, (vault, path): (&Vault, &str)) {
    vault.execute("ALTER TABLE projects RENAME TO elsewhere").await;
    let reply = ada.get(path).header("x-request-id", "broken-1").await;
    let problem = met.note(&reply, 500, "INTERNAL_ERROR");
    assert_eq!(problem["message"], "Something went wrong on our side. Tell us the request id.");
    for inside in ["table", "relation", "database", "storage", "elsewhere"] {
        assert!(!reply.text().contains(inside), "{inside}: {}", reply.text());
    }
    let lines = |part: &str| -> Vec<String> {
        let log = server.log();
        let named = log.lines().filter(|line| line.contains("broken-1") && line.contains(part));
        named.map(str::to_owned).collect()
    };
    // The access line is the last one of a request.
    eventually("the request is logged", async || !lines("insula::access").is_empty()).await;
    let errors = lines("ERROR");
    assert!(errors.len() == 1 && errors[0].contains("projects"), "{errors:?}");
    vault.execute("ALTER TABLE elsewhere RENAME TO projects").await;
    ada.get(path).await.expect(200);
}

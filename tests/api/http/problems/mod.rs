//! Every documented error code occurs, and no other.

mod in_organizations;

use std::collections::BTreeSet;

use in_organizations::{invitations, organizations, time};
use insula_tests::{Client, Inbox, JobFixture, PASSWORD, Reply, Server, TestDatabase, eventually};
use serde_json::{Value, json};

/// Maximum number of organizations per user on this server.
const MOST: usize = 12;

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
    ada.create_organization(slug).await;
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
    let builder = Server::builder()
        .env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "2")
        .env("INSULA_LIMIT_EXPORT", "1/h")
        .env("INSULA_MAX_ORGANIZATIONS", &MOST.to_string());
    let (server, superuser) = builder.start_with_superuser().await;
    // The one that takes its time goes first and is asked last.
    let (slow, (mut met, documented)) =
        tokio::join!(never_finishes(&server), meet_the_others(&server, &superuser));
    met.note(&slow, 408, "REQUEST_TIMEOUT");
    assert_eq!(met.0, documented);
}

async fn meet_the_others(server: &Server, superuser: &Client) -> (Met, BTreeSet<String>) {
    let mut met = Met::default();
    let (anybody, database) = (server.client(), server.database().await);
    let ada = anybody.register("ada@example.com").await;
    let (projects, path) = organization(&ada, "acme").await;

    met.note(&ada.request("POST", &projects).body("application/json", "{").await, 400, "BAD_REQUEST");
    met.note(&ada.post(&projects, json!({})).await, 422, "VALIDATION_FAILED");
    met.note(&ada.request("POST", &projects).body("text/plain", "x").await, 415, "UNSUPPORTED_MEDIA_TYPE");
    let large = ada.request("POST", &projects).body("application/json", vec![b' '; (1 << 20) + 1]);
    met.note(&large.await, 413, "PAYLOAD_TOO_LARGE");
    met.note(&ada.get("/nowhere").await, 404, "NOT_FOUND");
    let export = "/api/v1/organizations/acme/exports/audit-events.csv";
    ada.get(export).await;
    met.note(&ada.get(export).await, 429, "RATE_LIMITED");
    met.note(&ada.put(&projects, json!({})).await, 405, "METHOD_NOT_ALLOWED");
    met.note(&ada.get(&format!("{projects}?cursor=x")).await, 422, "INVALID_CURSOR");
    met.note(&ada.delete(&path).header("if-match", "\"9\"").await, 412, "PRECONDITION_FAILED");
    met.note(&ada.post(&projects, project("engine")).await, 409, "PROJECT_CODE_TAKEN");
    let other = ada.post(&projects, project("OTHER")).header("idempotency-key", "key-1");
    met.note(&other.await, 422, "IDEMPOTENCY_MISMATCH");
    let again = json!({ "name": "Acme", "slug": "acme" });
    met.note(&ada.post("/api/v1/organizations", again).await, 409, "SLUG_TAKEN");

    tasks(&mut met, &ada, &projects).await;
    roles(&mut met, superuser, &ada, &database).await;
    people(&mut met, &anybody, &database).await;
    links(&mut met).await;
    passing(&mut met, &anybody, superuser, &database).await;
    met.note(&ada.delete("/api/v1/users/me").await, 409, "LAST_OWNER");
    met.note(&superuser.delete("/api/v1/users/me").await, 409, "LAST_SUPERUSER");
    database.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    met.note(&ada.delete("/api/v1/users/me").await, 403, "REAUTH_REQUIRED");
    organizations(&mut met, &ada, &database).await;
    let founder = anybody.register("founder@example.com").await;
    for number in 0..MOST {
        founder.create_organization(&format!("founded-{number}")).await;
    }
    let more = json!({ "name": "More", "slug": "more" });
    met.note(&founder.post("/api/v1/organizations", more).await, 409, "ORGANIZATION_LIMIT");
    time(&mut met, &ada).await;
    invitations(&mut met, server, &ada).await;
    jobs(&mut met, superuser, &database).await;
    waiting(&mut met, &ada, &database, (&projects, &path)).await;

    // A rule of the database that the program has no word for.
    database.execute("CREATE UNIQUE INDEX projects_color ON projects (color)").await;
    let colored = |code: &str| json!({ "code": code, "name": "Engine", "color": "#000000" });
    ada.post(&projects, colored("C1")).await.expect(201);
    met.note(&ada.post(&projects, colored("C2")).await, 409, "CONFLICT");

    met.note(&unstored(server, &ada, &database, &projects).await, 503, "STORAGE_UNAVAILABLE");
    internal(&mut met, server, &ada, (&database, &path)).await;
    let document = anybody.get("/api/v1/openapi.json").await.expect(200);
    let codes =
        document["components"]["schemas"]["Problem"]["properties"]["error"]["enum"].as_array().unwrap();
    let mut documented: BTreeSet<_> = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    if let TestDatabase::Sqlite(_) = database {
        // Its one writer is waited for before a key could be seen to be in flight: 503 there.
        assert!(documented.remove("IDEMPOTENCY_IN_FLIGHT"));
    }
    (met, documented)
}

/// A change when the disk of the database is full.
async fn unstored(server: &Server, ada: &Client, database: &TestDatabase, projects: &str) -> Reply {
    let reply;
    match database {
        TestDatabase::Sqlite(_) => {
            server.limit_files(Some(4096));
            reply = ada.post(projects, project("FULL")).await;
            server.limit_files(None);
        }
        TestDatabase::Postgres(_) => {
            database
                .execute(
                    "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$",
                )
                .await;
            database
                .execute("CREATE TRIGGER is_full BEFORE INSERT ON projects EXECUTE FUNCTION is_full()")
                .await;
            reply = ada.post(projects, project("FULL")).await;
            database.execute("DROP TRIGGER is_full ON projects").await;
        }
    }
    reply
}

/// What is about tags, tasks, and the project of these.
async fn tasks(met: &mut Met, ada: &Client, projects: &str) {
    let path = |part: &str| format!("/api/v1/organizations/acme/{part}");
    let made = ada.post(projects, project("WORK")).await.expect(201);
    let at = format!("{projects}/{}", made["id"].as_str().unwrap());
    let tag = ada.post(&path("tags"), json!({ "name": "urgent" })).await.expect(201);
    met.note(&ada.post(&path("tags"), json!({ "name": "Urgent" })).await, 409, "TAG_NAME_TAKEN");
    let task = json!({ "title": "Oil it", "project_id": made["id"], "tags": [tag["id"]] });
    let id = ada.post(&path("tasks"), task.clone()).await.expect(201)["id"].clone();
    let of_tag = path(&format!("tags/{}", tag["id"].as_str().unwrap()));
    met.note(&ada.delete(&of_tag).await, 409, "TAG_IN_USE");
    ada.request("POST", &format!("{at}/archive")).await.expect(200);
    met.note(&ada.post(&path("tasks"), task).await, 409, "PROJECT_ARCHIVED");
    let of_task = path(&format!("tasks/{}", id.as_str().unwrap()));
    for gone in [&of_task, &at] {
        ada.delete(gone).await.expect(204);
    }
    met.note(&ada.request("POST", &format!("{of_task}/restore")).await, 409, "PARENT_DELETED");
}

/// What is about roles and who may give them.
async fn roles(met: &mut Met, superuser: &Client, ada: &Client, database: &TestDatabase) {
    let org = ada.create_organization("guild").await;
    let path = |part: &str| format!("/api/v1/organizations/{}/{part}", org.id);
    let (roles, members) = (path("roles"), path("members"));
    let role = |name: &str, permissions: Value| json!({ "name": name, "permissions": permissions });
    let made =
        ada.post(&roles, role("Giver", json!(["members:read", "members:update", "roles:assign"]))).await;
    made.expect(201);
    let giver = made.header("location").unwrap();
    met.note(&ada.post(&roles, role("giver", json!([]))).await, 409, "ROLE_NAME_TAKEN");
    met.note(&ada.delete(giver).await, 428, "PRECONDITION_REQUIRED");
    let zoe = superuser.register("zoe@example.com").await;
    database.join("guild", "zoe@example.com", "viewer").await;
    let zoes = ada.get(&format!("{members}?q=zoe")).await.expect(200)["data"][0]["id"].clone();
    let zoes = format!("{members}/{}", zoes.as_str().unwrap());
    ada.patch(&zoes, json!({ "roles": ["giver"] })).await.expect(200);
    met.note(&ada.delete(giver).header("if-match", "*").await, 409, "ROLE_IN_USE");
    met.note(&zoe.patch(&zoes, json!({ "roles": ["admin"] })).await, 403, "ESCALATION");
    met.note(&zoe.patch(&zoes, json!({ "roles": ["owner"] })).await, 403, "OWNER_PROTECTED");
    let owner = ada.get(&format!("{roles}?limit=1")).await.expect(200)["data"][0]["id"].clone();
    let owner = format!("{roles}/{}", owner.as_str().unwrap());
    met.note(&ada.delete(&owner).header("if-match", "*").await, 409, "ROLE_BUILTIN");
    let looking = superuser.get(&path("me/permissions")).header("x-platform-access", "ticket 7");
    met.note(&looking.await, 409, "NOT_A_MEMBER");
}

/// What is about an organization that is renamed, and passes to somebody else.
async fn passing(met: &mut Met, anybody: &Client, superuser: &Client, database: &TestDatabase) {
    let (pia, liv) = (anybody.register("pia@example.com").await, anybody.register("liv@example.com").await);
    pia.create_organization("before").await;
    pia.patch("/api/v1/organizations/before", json!({ "slug": "after" })).await.expect(200);
    // A redirect has no body, only the `Location` header.
    let moved = pia.get("/api/v1/organizations/before").await;
    assert_eq!((moved.status, moved.header("location")), (308, Some("/api/v1/organizations/after")));
    met.0.insert("ORGANIZATION_MOVED".to_owned());
    let after = |path: &str| format!("/api/v1/organizations/after{path}");
    met.note(&pia.patch(&after("/settings"), json!({})).await, 428, "PRECONDITION_REQUIRED");

    database.join("after", "liv@example.com", "viewer").await;
    let to = liv.get(&after("/me/permissions")).await.expect(200)["member_id"].clone();
    let offer = || pia.post(&after("/transfer"), json!({ "member_id": to }));
    offer().await.expect(201);
    met.note(&offer().await, 409, "TRANSFER_PENDING");
    let accept = |person: &Client| person.request("POST", &after("/transfer/accept"));
    met.note(&accept(&pia).await, 403, "TRANSFER_NOT_YOURS");
    let access = superuser.with("x-platform-access", "ticket 7");
    met.note(&accept(&access).await, 409, "NOT_A_MEMBER");
    database.execute("UPDATE users SET is_active = false WHERE email = 'pia@example.com'").await;
    met.note(&accept(&liv).await, 409, "TRANSFER_VOID");
    database.execute("UPDATE owner_transfers SET expires_at = created_at").await;
    met.note(&accept(&liv).await, 410, "TRANSFER_EXPIRED");
    let mine = liv.get("/api/v1/users/me/organizations?limit=1").await.expect(200);
    let mine = format!("/api/v1/organizations/{}", mine["data"][0]["organization"]["id"].as_str().unwrap());
    met.note(&liv.delete(&mine).await, 409, "PERSONAL_ORGANIZATION");
}

/// Errors of accounts and logins.
async fn people(met: &mut Met, anybody: &Client, database: &TestDatabase) {
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
    database.execute("UPDATE users SET is_active = false WHERE username = 'eve'").await;
    let right = json!({ "username": "eve", "password": PASSWORD });
    met.note(&anybody.post(log_in, right).await, 403, "INACTIVE_USER");
}

/// What is about e-mailed links.
async fn links(met: &mut Met) {
    let server = Server::builder().with_mail().start().await;
    let eve = server.client().register("eve@example.com").await;
    met.note(&eve.post("/api/v1/organizations", json!({})).await, 403, "EMAIL_UNVERIFIED");
    let used = json!({ "token": "used" });
    met.note(&eve.post("/api/v1/auth/email/verify", used).await, 410, "LINK_EXPIRED");
    server
        .client()
        .post("/api/v1/auth/password/forgot", json!({ "email": "eve@example.com" }))
        .await
        .expect(202);
    let inbox = Inbox::of(&server).await;
    let unproved = json!({ "token": inbox.last("send_verification").await.token });
    let elsewhere = server.client().post("/api/v1/auth/email/verify", unproved);
    met.note(&elsewhere.await, 409, "PASSWORD_REQUIRED");
    let token = inbox.last("send_password_reset").await.token;
    let weak = json!({ "token": token, "password": "password123" });
    met.note(&server.client().post("/api/v1/auth/password/reset", weak).await, 422, "WEAK_PASSWORD");
}

/// What superusers cannot do with jobs.
async fn jobs(met: &mut Met, superuser: &Client, database: &TestDatabase) {
    let done = JobFixture::new(1, "done");
    let leased = JobFixture { is_leased: true, ..JobFixture::new(2, "pending") };
    database.insert_job(&done).await;
    database.insert_job(&leased).await;
    database.insert_email(&JobFixture::new(3, "done"), "bird@example.com", "sent").await;
    let path = |job: &JobFixture| format!("/api/v1/admin/jobs/{}", job.id());
    let retry = superuser.request("POST", &format!("{}/retry", path(&done)));
    met.note(&retry.await, 409, "JOB_FINISHED");
    let cancel = superuser.request("POST", &format!("{}/cancel", path(&leased)));
    met.note(&cancel.await, 409, "JOB_RUNNING");
    met.note(&superuser.delete(&path(&leased)).await, 409, "JOB_PENDING");
    let resend = format!("/api/v1/admin/emails/{}/resend", JobFixture::new(3, "done").id());
    met.note(&superuser.request("POST", &resend).await, 409, "EMAIL_NOT_KEPT");
}

/// The answer when another transaction takes too long.
async fn waiting(met: &mut Met, ada: &Client, database: &TestDatabase, (projects, path): (&str, &str)) {
    let held = database.hold("UPDATE projects SET id = id").await;
    let reply = ada.patch(path, json!({ "name": "x" })).await;
    let problem = met.note(&reply, 503, "UNAVAILABLE");
    assert_eq!((reply.header("retry-after"), &problem["retry_after"]), (Some("1"), &json!(1)));
    held.rollback().await;
    ada.patch(path, json!({ "name": "x" })).await.expect(200);

    if let TestDatabase::Postgres(_) = database {
        let flying = "INSERT INTO idempotency_keys SELECT (jsonb_populate_record(NULL::idempotency_keys, to_jsonb(k) ||
            jsonb_build_object('id', gen_random_uuid(), 'key', 'flying'))).* FROM idempotency_keys k";
        let held = database.hold(flying).await;
        let reply = ada.post(projects, project("FLYING")).header("idempotency-key", "flying").await;
        met.note(&reply, 409, "IDEMPOTENCY_IN_FLIGHT");
        held.rollback().await;
        ada.post(projects, project("FLYING")).header("idempotency-key", "flying").await.expect(201);
    }
}

/// An internal error has no details for the client, and all of them once in the log.
async fn internal(met: &mut Met, server: &Server, ada: &Client, (database, path): (&TestDatabase, &str)) {
    database.execute("ALTER TABLE projects RENAME TO elsewhere").await;
    let reply = ada.get(path).header("x-request-id", "broken-1").await;
    let problem = met.note(&reply, 500, "INTERNAL_ERROR");
    assert_eq!(problem["message"], "Something went wrong on our side. Please report the request id.");
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
    database.execute("ALTER TABLE elsewhere RENAME TO projects").await;
    ada.get(path).await.expect(200);
}

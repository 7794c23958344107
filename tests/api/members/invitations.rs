//! Invitations: who can invite, to which roles, and their states.

use insula_tests::{Client, Server, TestDatabase};
use serde_json::{Value, json};

const INVITATIONS: &str = "/api/v1/organizations/acme/invitations";
const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

async fn acme() -> (Server, Client) {
    let server = Server::start().await;
    let owner = server.client().register("ada@example.com").await;
    owner.create_organization("acme").await;
    (server, owner)
}

/// Somebody with an account who holds this role in Acme.
async fn member(server: &Server, email: &str, role: &str) -> Client {
    let person = server.client().register(email).await;
    server.database().await.join("acme", email, role).await;
    person
}

fn path(invitation: &Value) -> String {
    format!("{INVITATIONS}/{}", invitation["id"].as_str().unwrap())
}

fn emails(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap()).collect()
}

/// The events about invitations, as `action details`, in their order.
async fn events(database: &TestDatabase) -> Vec<String> {
    let query = "SELECT action || ' ' || details FROM audit_events WHERE resource IN ('invitation', 'member')
         AND organization_id IN (SELECT id FROM organizations WHERE slug = 'acme') ORDER BY id";
    database.texts(query).await
}

async fn expire(server: &Server) {
    let database = server.database().await;
    for table in ["invitations", "one_time_tokens"] {
        database.execute(&format!("UPDATE {table} SET expires_at = created_at")).await;
    }
}

#[tokio::test]
async fn an_invited_user_gets_an_email_with_a_secret_token() {
    let (server, owner) = acme().await;
    let name = json!({ "first_name": "Ada <b>", "last_name": "Lovelace" });
    owner.patch("/api/v1/users/me", name).await.expect(200);
    let reply = owner.invite("acme", "Eve@Bücher.example", &["member", "viewer"]).await;
    let made = reply.expect(201);
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!((&made["email"], &made["status"]), (&json!("Eve@Bücher.example"), &json!("pending")));
    assert_eq!(
        (&made["resend_count"], &made["invited_by"]["display_name"]),
        (&json!(0), &json!("Ada <b> Lovelace"))
    );
    let keys: Vec<_> = made["roles"].as_array().unwrap().iter().map(|role| role["key"].clone()).collect();
    assert_eq!(keys, ["member", "viewer"]);
    let location = reply.header("location").unwrap();
    assert_eq!(owner.get(location).await.expect(200), made);

    let token = server.invitation_token("Eve@xn--bcher-kva.example", 1).await;
    let mail = &server.captured_emails("Eve@xn--bcher-kva.example").await[0];
    assert_eq!(mail["subject"], "Ada <b> Lovelace invites you to acme");
    let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
    assert!(
        text.contains(&server.url(&format!("/accept#token={token}"))) && text.contains("within 7 days"),
        "{text}"
    );
    assert!(html.contains("Ada &lt;b&gt; Lovelace invites you") && !html.contains("<b>"), "{html}");

    let database = server.database().await;
    let list = owner.get(INVITATIONS).await;
    assert!(
        !reply.text().contains(&token) && !list.text().contains(&token) && !server.log().contains(&token)
    );
    for column in ["payload FROM outbox", "details FROM audit_events"] {
        let texts = database.texts(&format!("SELECT {column}")).await.join("\n");
        assert!(!texts.contains(&token) && !texts.to_lowercase().contains("eve@"), "{texts}");
    }
    let recorded = events(&database).await;
    assert!(recorded.len() == 2 && recorded[1].starts_with("invitation.created "), "{recorded:?}");
    assert!(recorded[1].contains(r#""roles":["member","viewer"]"#), "{recorded:?}");
}

#[tokio::test]
async fn a_role_is_named_by_its_key_or_its_id_and_must_be_one_of_the_organization() {
    let (server, owner) = acme().await;
    let acme = owner.get("/api/v1/organizations/acme/me/permissions").await.expect(200);
    let eve = server.client().register("eve@example.com").await;
    eve.create_organization("other").await;
    let other = eve.get("/api/v1/organizations/other/me/permissions").await.expect(200);
    let id = |mine: &Value| mine["roles"][0]["id"].as_str().unwrap().to_owned();
    let made = owner.invite("acme", "bob@example.com", &[&id(&acme), "owner"]).await.expect(201);
    assert_eq!((made["roles"].as_array().unwrap().len(), &made["roles"][0]["key"]), (1, &json!("owner")));
    let reply = owner.invite("acme", "bea@example.com", &["viewer", &id(&other), "Owner"]).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["roles[1] UNKNOWN_REFERENCE", "roles[2] UNKNOWN_REFERENCE"]);
    let reply = owner.invite("acme", "nobody", &["viewer"]).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["email INVALID_FORMAT"]);
    // Nobody need be given anything.
    assert_eq!(owner.invite("acme", "bea@example.com", &[]).await.expect(201)["roles"], json!([]));
}

#[tokio::test]
async fn an_invitation_grants_no_more_than_its_sender_has() {
    let (server, owner) = acme().await;
    let admin = member(&server, "adam@example.com", "admin").await;
    admin.invite("acme", "bob@example.com", &["owner"]).await.problem(403, "OWNER_PROTECTED");
    admin.invite("acme", "bob@example.com", &["admin"]).await.expect(201);
    let viewer = member(&server, "victor@example.com", "viewer").await;
    viewer.invite("acme", "bea@example.com", &["viewer"]).await.problem(403, "FORBIDDEN");
    viewer.get(INVITATIONS).await.problem(403, "FORBIDDEN");

    // A viewer who may invite, by a role of the organization's own.
    let database = server.database().await;
    let id = database.new_id_sql();
    for statement in [
        format!(
            "INSERT INTO roles (id, organization_id, key, name, name_key, description, is_builtin, version, created_at, updated_at)
             SELECT {id}, organization_id, 'inviter', 'Inviter', 'inviter', '', false, 1, created_at, updated_at FROM roles
             WHERE key = 'viewer' AND organization_id IN (SELECT id FROM organizations WHERE slug = 'acme')"
        ),
        format!(
            "INSERT INTO role_permissions (id, organization_id, role_id, permission, created_at)
             SELECT {id}, organization_id, id, 'members:invite', created_at FROM roles WHERE key = 'inviter'"
        ),
        format!(
            "INSERT INTO member_roles (id, organization_id, member_id, role_id, created_at)
             SELECT {id}, m.organization_id, m.id, r.id, m.created_at FROM members m JOIN roles r ON r.key = 'inviter'
             JOIN users u ON u.id = m.user_id WHERE u.email = 'victor@example.com' AND m.organization_id = r.organization_id"
        ),
    ] {
        assert_eq!(database.execute(&statement).await, 1, "{statement}");
    }
    let problem = viewer.invite("acme", "bea@example.com", &["member"]).await.problem(403, "ESCALATION");
    assert!(problem["missing"].as_array().unwrap().contains(&json!("tasks:create")), "{problem}");
    viewer.invite("acme", "bea@example.com", &["viewer", "inviter"]).await.expect(201);
    let pending = owner.get(&format!("{INVITATIONS}?status=pending")).await.expect(200);
    assert_eq!(emails(&pending), ["bob@example.com", "bea@example.com"]);
}

#[tokio::test]
async fn members_and_invited_users_are_not_invited_again() {
    let (server, owner) = acme().await;
    member(&server, "mia@example.com", "member").await;
    owner.invite("acme", "MIA@example.com", &["viewer"]).await.problem(409, "ALREADY_MEMBER");
    owner.invite("acme", "eve@example.com", &["viewer"]).await.expect(201);
    owner.invite("acme", "EVE@example.com", &["member"]).await.problem(409, "INVITATION_PENDING");
    // Another organization can invite the user.
    owner.create_organization("second").await;
    owner.invite("second", "eve@example.com", &["viewer"]).await.expect(201);
    let personal = owner.get("/api/v1/users/me/organizations").await.expect(200);
    let slug = personal["data"][0]["organization"]["slug"].as_str().unwrap();
    owner.invite(slug, "eve@example.com", &["viewer"]).await.problem(409, "PERSONAL_ORGANIZATION");
    let one = json!({ "email": "eve@example.com", "roles": [] });
    let bulk = format!("/api/v1/organizations/{slug}/invitations/bulk");
    owner.post(&bulk, json!({ "invitations": [one] })).await.problem(409, "PERSONAL_ORGANIZATION");
}

#[tokio::test]
async fn resending_creates_a_new_token_and_revokes_the_old_one() {
    let (server, owner) = acme().await;
    let made = owner.invite("acme", "eve@example.com", &["viewer"]).await.expect(201);
    let old = server.invitation_token("eve@example.com", 1).await;
    let again = owner.request("POST", &format!("{}/resend", path(&made))).await;
    let sent = again.expect(200);
    assert_eq!(
        (&sent["id"], &sent["resend_count"], again.header("etag")),
        (&made["id"], &json!(1), Some("\"2\""))
    );
    let new = server.invitation_token("eve@example.com", 2).await;
    assert_ne!(old, new);
    let preview =
        |token: &str| server.client().post("/api/v1/invitations/preview", json!({ "token": token }));
    preview(&old).await.problem(410, "INVITATION_EXPIRED");
    preview(&new).await.expect(200);

    // An expired invitation can be sent again. The sender becomes the inviter.
    expire(&server).await;
    preview(&new).await.problem(410, "INVITATION_EXPIRED");
    assert_eq!(owner.get(&path(&made)).await.expect(200)["status"], "expired");
    let admin = member(&server, "adam@example.com", "admin").await;
    let sent = admin.request("POST", &format!("{}/resend", path(&made))).await.expect(200);
    assert_eq!((&sent["status"], &sent["resend_count"]), (&json!("pending"), &json!(2)));
    assert_eq!(sent["invited_by"]["display_name"], "adam");
    preview(&server.invitation_token("eve@example.com", 3).await).await.expect(200);

    // But not with permissions that the sender lacks, and not next to a newer invitation.
    let to_owner = owner.invite("acme", "olivia@example.com", &["owner"]).await.expect(201);
    let resend = format!("{}/resend", path(&to_owner));
    admin.request("POST", &resend).await.problem(403, "OWNER_PROTECTED");
    expire(&server).await;
    owner.invite("acme", "olivia@example.com", &["viewer"]).await.expect(201);
    owner.request("POST", &resend).await.problem(409, "INVITATION_PENDING");
    owner.request("POST", &format!("{INVITATIONS}/{NOTHING}/resend")).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_revoked_invitation_cannot_be_used() {
    let (server, owner) = acme().await;
    let made = owner.invite("acme", "eve@example.com", &["viewer"]).await.expect(201);
    let token = server.invitation_token("eve@example.com", 1).await;
    owner.delete(&path(&made)).await.expect(204);
    owner.delete(&path(&made)).await.expect(204);
    server.client().accept(&token, json!({})).await.problem(410, "INVITATION_EXPIRED");
    owner.request("POST", &format!("{}/resend", path(&made))).await.problem(409, "INVITATION_CLOSED");
    assert_eq!(owner.get(&path(&made)).await.expect(200)["status"], "revoked");
    let recorded = events(&server.database().await).await;
    assert_eq!(
        recorded.last().unwrap(),
        r#"invitation.revoked {"after":{"status":"revoked"},"before":{"status":"pending"}}"#
    );
    assert_eq!(recorded.len(), 3);
    // The address can be invited anew.
    owner.invite("acme", "eve@example.com", &["viewer"]).await.expect(201);
    let declined = server.invitation_token("eve@example.com", 2).await;
    server.client().post("/api/v1/invitations/decline", json!({ "token": declined })).await.expect(200);
    let all = owner.get(&format!("{INVITATIONS}?status=declined")).await.expect(200);
    owner.delete(&path(&all["data"][0])).await.problem(409, "INVITATION_CLOSED");
}

#[tokio::test]
async fn an_expired_invitation_is_recorded_and_allows_a_new_one() {
    let (server, owner) = acme().await;
    let database = server.database().await;
    owner.invite("acme", "eve@example.com", &["viewer"]).await.expect(201);
    server.invitation_token("eve@example.com", 1).await;
    expire(&server).await;
    // Nobody has written it down yet; it is shown as it is.
    let list = async |status: &str| owner.get(&format!("{INVITATIONS}?status={status}")).await.expect(200);
    assert_eq!((emails(&list("pending").await).len(), emails(&list("expired").await).len()), (0, 1));
    owner.invite("acme", "eve@example.com", &["member"]).await.expect(201);
    assert_eq!((emails(&list("pending").await).len(), emails(&list("expired").await).len()), (1, 1));
    let written = "SELECT count(*) FROM audit_events WHERE action = 'invitation.expired'";
    assert_eq!(database.scalar(written).await, 1);

    expire(&server).await;
    database.make_due("expire-invitations").await;
    insula_tests::eventually("it is written down", async || database.scalar(written).await == 2).await;
    let by =
        "SELECT count(*) FROM audit_events WHERE action = 'invitation.expired' AND actor_kind = 'worker'";
    assert_eq!(database.scalar(by).await, 1);
    assert_eq!(database.scalar("SELECT count(*) FROM invitations WHERE status = 'expired'").await, 2);
}

#[tokio::test]
async fn the_list_is_sorted_filtered_and_paged() {
    let (server, owner) = acme().await;
    for email in ["c@example.com", "A@example.com", "b@example.com"] {
        owner.invite("acme", email, &["viewer", "member"]).await.expect(201);
    }
    for (query, expected) in [
        ("", ["c@example.com", "A@example.com", "b@example.com"]),
        ("?sort=-created_at", ["b@example.com", "A@example.com", "c@example.com"]),
        ("?sort=email", ["A@example.com", "b@example.com", "c@example.com"]),
        ("?sort=-email", ["c@example.com", "b@example.com", "A@example.com"]),
        ("?sort=expires_at&status=pending", ["c@example.com", "A@example.com", "b@example.com"]),
    ] {
        let page = owner.get(&format!("{INVITATIONS}{query}")).await.expect(200);
        assert_eq!(emails(&page), expected, "{query}");
        assert!(
            page["data"].as_array().unwrap().iter().all(|one| one["roles"].as_array().unwrap().len() == 2)
        );
        let mark = if query.is_empty() { '?' } else { '&' };
        let mut cursor = String::new();
        for email in expected {
            let page = owner.get(&format!("{INVITATIONS}{query}{mark}limit=1{cursor}")).await.expect(200);
            assert_eq!(emails(&page), [email]);
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
        }
    }
    assert_eq!(emails(&owner.get(&format!("{INVITATIONS}?status=accepted")).await.expect(200)), [""; 0]);
    owner.get(&format!("{INVITATIONS}?status=lost")).await.problem(422, "VALIDATION_FAILED");
    // Another organization's are not there.
    let eve = server.client().register("eve@example.com").await;
    eve.create_organization("other").await;
    assert_eq!(eve.get(&INVITATIONS.replace("acme", "other")).await.expect(200)["data"], json!([]));
}

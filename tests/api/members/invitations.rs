//! Invitations: who can invite, to which roles, and their states.

use insula_tests::{OrgWithOwner, unique};
use serde_json::{Value, json};

const INVITATIONS: &str = "/api/v1/organizations/{org}/invitations";
const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

fn path(invitation: &Value) -> String {
    format!("{INVITATIONS}/{}", invitation["id"].as_str().unwrap())
}

fn emails(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap()).collect()
}

/// The events about invitations, as `action details`, in their order.
async fn events(acme: &OrgWithOwner) -> Vec<String> {
    let query = format!(
        "SELECT action || ' ' || details FROM audit_events WHERE resource IN ('invitation', 'member')
         AND {} ORDER BY id",
        acme.own_rows()
    );
    acme.database().await.texts(&query).await
}

async fn expire(acme: &OrgWithOwner) {
    let (database, own) = (acme.database().await, acme.own_rows());
    let invitations = format!("UPDATE invitations SET expires_at = created_at WHERE {own}");
    assert_ne!(database.execute(&invitations).await, 0);
    let tokens = "UPDATE one_time_tokens SET expires_at = created_at WHERE email";
    database.execute(&format!("{tokens} LIKE '{}'", acme.email("%"))).await;
}

#[tokio::test]
async fn an_invited_user_gets_an_email_with_a_secret_token() {
    let server = OrgWithOwner::alone().await;
    let owner = &server.owner;
    let name = json!({ "first_name": "Ada <b>", "last_name": "Lovelace" });
    owner.patch("/api/v1/users/me", name).await.expect(200);
    let reply = owner.invite("{org}", "Eve@Bücher.example", &["member", "viewer"]).await;
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
    let recorded = events(&server).await;
    assert!(recorded.len() == 2 && recorded[1].starts_with("invitation.created "), "{recorded:?}");
    assert!(recorded[1].contains(r#""roles":["member","viewer"]"#), "{recorded:?}");
}

#[tokio::test]
async fn a_role_is_named_by_its_key_or_its_id_and_must_be_one_of_the_organization() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let acme = owner.get("/api/v1/organizations/{org}/me/permissions").await.expect(200);
    let eve = server.stranger("eve").await;
    let other = eve.create_organization(&unique("other")).await.slug;
    let other = eve.get(&format!("/api/v1/organizations/{other}/me/permissions")).await.expect(200);
    let id = |mine: &Value| mine["roles"][0]["id"].as_str().unwrap().to_owned();
    let made = owner.invite("{org}", &server.email("bob"), &[&id(&acme), "owner"]).await.expect(201);
    assert_eq!((made["roles"].as_array().unwrap().len(), &made["roles"][0]["key"]), (1, &json!("owner")));
    let reply = owner.invite("{org}", &server.email("bea"), &["viewer", &id(&other), "Owner"]).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["roles[1] UNKNOWN_REFERENCE", "roles[2] UNKNOWN_REFERENCE"]);
    let reply = owner.invite("{org}", "nobody", &["viewer"]).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["email INVALID_FORMAT"]);
    // Nobody need be given anything.
    assert_eq!(owner.invite("{org}", &server.email("bea"), &[]).await.expect(201)["roles"], json!([]));
}

#[tokio::test]
async fn an_invitation_grants_no_more_than_its_sender_has() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let admin = server.join("adam", "admin").await;
    admin.invite("{org}", &server.email("bob"), &["owner"]).await.problem(403, "OWNER_PROTECTED");
    admin.invite("{org}", &server.email("bob"), &["admin"]).await.expect(201);
    let viewer = server.join("victor", "viewer").await;
    viewer.invite("{org}", &server.email("bea"), &["viewer"]).await.problem(403, "FORBIDDEN");
    viewer.get(INVITATIONS).await.problem(403, "FORBIDDEN");

    // A viewer who may invite, by a role of the organization's own.
    let database = server.database().await;
    let (id, own, victor) = (database.new_id_sql(), server.own_rows(), server.email("victor"));
    for statement in [
        format!(
            "INSERT INTO roles (id, organization_id, key, name, name_key, search_key, description, is_builtin, version, created_at, updated_at)
             SELECT {id}, organization_id, 'inviter', 'Inviter', 'inviter', 'inviter', '', false, 1, created_at, updated_at FROM roles
             WHERE key = 'viewer' AND {own}"
        ),
        format!(
            "INSERT INTO role_permissions (id, organization_id, role_id, permission, created_at)
             SELECT {id}, organization_id, id, 'members:invite', created_at FROM roles
             WHERE key = 'inviter' AND {own}"
        ),
        format!(
            "INSERT INTO member_roles (id, organization_id, member_id, role_id, created_at)
             SELECT {id}, m.organization_id, m.id, r.id, m.created_at FROM members m JOIN roles r ON r.key = 'inviter'
             JOIN users u ON u.id = m.user_id WHERE u.email = '{victor}' AND m.organization_id = r.organization_id AND r.{own}"
        ),
    ] {
        assert_eq!(database.execute(&statement).await, 1, "{statement}");
    }
    let problem = viewer.invite("{org}", &server.email("bea"), &["member"]).await.problem(403, "ESCALATION");
    assert!(problem["missing"].as_array().unwrap().contains(&json!("tasks:create")), "{problem}");
    viewer.invite("{org}", &server.email("bea"), &["viewer", "inviter"]).await.expect(201);
    let pending = owner.get(&format!("{INVITATIONS}?status=pending")).await.expect(200);
    assert_eq!(emails(&pending), [server.email("bob"), server.email("bea")]);
}

#[tokio::test]
async fn members_and_invited_users_are_not_invited_again() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    server.join("mia", "member").await;
    owner.invite("{org}", &server.email("MIA"), &["viewer"]).await.problem(409, "ALREADY_MEMBER");
    owner.invite("{org}", &server.email("eve"), &["viewer"]).await.expect(201);
    owner.invite("{org}", &server.email("EVE"), &["member"]).await.problem(409, "INVITATION_PENDING");
    // Another organization can invite the user.
    let second = owner.create_organization(&unique("second")).await.slug;
    owner.invite(&second, &server.email("eve"), &["viewer"]).await.expect(201);
    let personal = owner.get("/api/v1/users/me/organizations").await.expect(200);
    let slug = personal["data"][0]["organization"]["slug"].as_str().unwrap();
    owner.invite(slug, &server.email("eve"), &["viewer"]).await.problem(409, "PERSONAL_ORGANIZATION");
    let one = json!({ "email": &server.email("eve"), "roles": [] });
    let bulk = format!("/api/v1/organizations/{slug}/invitations/bulk");
    owner.post(&bulk, json!({ "invitations": [one] })).await.problem(409, "PERSONAL_ORGANIZATION");
}

#[tokio::test]
async fn resending_creates_a_new_token_and_revokes_the_old_one() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.invite("{org}", &server.email("eve"), &["viewer"]).await.expect(201);
    let old = server.invitation_token(&server.email("eve"), 1).await;
    let again = owner.request("POST", &format!("{}/resend", path(&made))).await;
    let sent = again.expect(200);
    assert_eq!(
        (&sent["id"], &sent["resend_count"], again.header("etag")),
        (&made["id"], &json!(1), Some("\"2\""))
    );
    let new = server.invitation_token(&server.email("eve"), 2).await;
    assert_ne!(old, new);
    let preview =
        |token: &str| server.client().post("/api/v1/invitations/preview", json!({ "token": token }));
    preview(&old).await.problem(410, "INVITATION_EXPIRED");
    preview(&new).await.expect(200);

    // An expired invitation can be sent again. The sender becomes the inviter.
    expire(&server).await;
    preview(&new).await.problem(410, "INVITATION_EXPIRED");
    assert_eq!(owner.get(&path(&made)).await.expect(200)["status"], "expired");
    let admin = server.join("adam", "admin").await;
    let sent = admin.request("POST", &format!("{}/resend", path(&made))).await.expect(200);
    assert_eq!((&sent["status"], &sent["resend_count"]), (&json!("pending"), &json!(2)));
    assert_eq!(sent["invited_by"]["display_name"], "adam");
    preview(&server.invitation_token(&server.email("eve"), 3).await).await.expect(200);

    // But not with permissions that the sender lacks, and not next to a newer invitation.
    let to_owner = owner.invite("{org}", &server.email("olivia"), &["owner"]).await.expect(201);
    let resend = format!("{}/resend", path(&to_owner));
    admin.request("POST", &resend).await.problem(403, "OWNER_PROTECTED");
    expire(&server).await;
    owner.invite("{org}", &server.email("olivia"), &["viewer"]).await.expect(201);
    owner.request("POST", &resend).await.problem(409, "INVITATION_PENDING");
    owner.request("POST", &format!("{INVITATIONS}/{NOTHING}/resend")).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_revoked_invitation_cannot_be_used() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let made = owner.invite("{org}", &server.email("eve"), &["viewer"]).await.expect(201);
    let token = server.invitation_token(&server.email("eve"), 1).await;
    owner.delete(&path(&made)).await.expect(204);
    owner.delete(&path(&made)).await.expect(204);
    server.client().accept(&token, json!({})).await.problem(410, "INVITATION_EXPIRED");
    owner.request("POST", &format!("{}/resend", path(&made))).await.problem(409, "INVITATION_CLOSED");
    assert_eq!(owner.get(&path(&made)).await.expect(200)["status"], "revoked");
    let recorded = events(&server).await;
    assert_eq!(
        recorded.last().unwrap(),
        r#"invitation.revoked {"after":{"status":"revoked"},"before":{"status":"pending"}}"#
    );
    assert_eq!(recorded.len(), 3);
    // The address can be invited anew.
    owner.invite("{org}", &server.email("eve"), &["viewer"]).await.expect(201);
    let declined = server.invitation_token(&server.email("eve"), 2).await;
    server.client().post("/api/v1/invitations/decline", json!({ "token": declined })).await.expect(200);
    let all = owner.get(&format!("{INVITATIONS}?status=declined")).await.expect(200);
    owner.delete(&path(&all["data"][0])).await.problem(409, "INVITATION_CLOSED");
}

#[tokio::test]
async fn an_expired_invitation_is_recorded_and_allows_a_new_one() {
    let server = OrgWithOwner::alone().await;
    let owner = &server.owner;
    let database = server.database().await;
    owner.invite("{org}", &server.email("eve"), &["viewer"]).await.expect(201);
    server.invitation_token(&server.email("eve"), 1).await;
    expire(&server).await;
    // Nobody has written it down yet; it is shown as it is.
    let list = async |status: &str| owner.get(&format!("{INVITATIONS}?status={status}")).await.expect(200);
    assert_eq!((emails(&list("pending").await).len(), emails(&list("expired").await).len()), (0, 1));
    owner.invite("{org}", &server.email("eve"), &["member"]).await.expect(201);
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
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    for name in ["c", "A", "b"] {
        owner.invite("{org}", &server.email(name), &["viewer", "member"]).await.expect(201);
    }
    for (query, expected) in [
        ("", ["c", "A", "b"]),
        ("?sort=-created_at", ["b", "A", "c"]),
        ("?sort=email", ["A", "b", "c"]),
        ("?sort=-email", ["c", "b", "A"]),
        ("?sort=expires_at&status=pending", ["c", "A", "b"]),
    ] {
        let expected = expected.map(|name| server.email(name));
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
    let eve = server.stranger("eve").await;
    let other = eve.create_organization(&unique("other")).await.slug;
    assert_eq!(eve.get(&INVITATIONS.replace("{org}", &other)).await.expect(200)["data"], json!([]));
}

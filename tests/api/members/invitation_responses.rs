//! What an invited user can do: every way to accept, and the next step after every error.

use insula_tests::{Browser, Client, Inbox, OrgWithOwner, PASSWORD, Reply, Server, eventually, unique};
use serde_json::json;

const ME: &str = "/api/v1/users/me";
const LOG_IN: &str = "/api/v1/auth/login";
const MINE: &str = "/api/v1/organizations/{org}/me/permissions";
const MY_INVITATIONS: &str = "/api/v1/users/me/invitations";
const PREVIEW: &str = "/api/v1/invitations/preview";
const DECLINE: &str = "/api/v1/invitations/decline";

/// Invites Eve as a member, and gives the token of her mail.
async fn invite_eve(server: &OrgWithOwner, owner: &Client) -> String {
    let before = server.captured_emails(&server.email("eve")).await.len();
    owner.invite("{org}", &server.email("eve"), &["member"]).await.expect(201);
    // Her other e-mails are no invitations.
    let mut token = String::new();
    eventually("her mail", async || {
        let mails = server.captured_emails(&server.email("eve")).await;
        let newest = mails.iter().find_map(|mail| mail["text"].as_str()?.split_once("/accept#token="));
        token =
            newest.map(|(_, rest)| rest.split_whitespace().next().unwrap().to_owned()).unwrap_or_default();
        mails.len() > before && !token.is_empty()
    })
    .await;
    token
}

async fn roles(client: &Client) -> Vec<String> {
    let mine = client.get(MINE).await.expect(200);
    let keys = mine["roles"].as_array().unwrap().iter().map(|role| role["key"].as_str().unwrap().to_owned());
    keys.collect()
}

async fn preview(client: &Client, token: &str) -> Reply {
    client.post(PREVIEW, json!({ "token": token })).await
}

#[tokio::test]
async fn a_new_user_registers_with_the_token() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let acme = owner.get("/api/v1/organizations/{org}").await.expect(200);
    let token = invite_eve(&server, &owner).await;
    let anybody = server.client();
    let seen = preview(&anybody, &token).await.expect(200);
    assert_eq!((&seen["has_account"], &seen["needs_password"]), (&json!(false), &json!(true)));
    let recorded = &seen["invitation"];
    assert_eq!((&recorded["organization"]["name"], &recorded["inviter"]), (&acme["name"], &json!("ada")));
    assert_eq!(
        (&recorded["email"], &recorded["roles"][0]["key"]),
        (&json!(&server.email("eve")), &json!("member"))
    );

    // What is missing or weak does not use it up.
    let reply = anybody.accept(&token, json!({})).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["password REQUIRED"]);
    anybody.accept(&token, json!({ "password": "password123" })).await.problem(422, "WEAK_PASSWORD");
    let person = json!({ "password": PASSWORD, "first_name": "Eve", "last_name": null });
    let joined = anybody.accept(&token, person.clone()).await.expect(200);
    assert_eq!((&joined["next"], &joined["organization"]["id"]), (&json!("log_in"), &acme["id"]));
    assert_eq!(
        (&joined["email"], &joined["roles"][0]["key"]),
        (&json!(&server.email("eve")), &json!("member"))
    );

    let eve = anybody.log_in(&server.email("eve"), PASSWORD).await;
    let me = eve.get(ME).await.expect(200);
    assert!(me["email_verified_at"].is_string() && me["display_name"] == "Eve", "{me}");
    // No organization of her own: she works in the one she joined.
    assert_eq!(me["default_organization_id"], acme["id"]);
    assert_eq!(
        eve.get("/api/v1/users/me/organizations").await.expect(200)["data"].as_array().unwrap().len(),
        1
    );
    assert_eq!(roles(&eve).await, ["member"]);
    for used in [anybody.accept(&token, person).await, preview(&anybody, &token).await] {
        let problem = used.problem(410, "INVITATION_EXPIRED");
        assert!(problem["message"].as_str().unwrap().contains("ask the person who invited you"), "{problem}");
    }

    let database = server.database().await;
    let recorded = format!(
        "SELECT action || ' ' || actor_kind FROM audit_events
         WHERE actor_id = (SELECT id FROM users WHERE email = '{}') ORDER BY id",
        server.email("eve")
    );
    let recorded = database.texts(&recorded).await;
    let expected =
        ["user.registered user", "member.added user", "invitation.accepted user", "session.created user"];
    assert_eq!(recorded, expected);
    let details = database.texts("SELECT details FROM audit_events").await.join("\n");
    assert!(!details.contains(&server.email("eve")), "{details}");
    let listed = owner.get("/api/v1/organizations/{org}/invitations?status=accepted").await.expect(200);
    assert_eq!(listed["data"][0]["id"], seen["invitation"]["id"]);
}

#[tokio::test]
async fn a_user_with_an_account_joins_with_or_without_a_session() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let eve = server.stranger("eve").await;
    let token = invite_eve(&server, &owner).await;
    let seen = preview(&server.client(), &token).await.expect(200);
    assert_eq!((&seen["has_account"], &seen["needs_password"]), (&json!(true), &json!(false)));
    eve.get(MINE).await.problem(404, "NOT_FOUND");
    // A password is not looked at: the account keeps its own.
    let joined =
        server.client().accept(&token, json!({ "password": "Other-lantern-48-meadow" })).await.expect(200);
    assert_eq!(joined["next"], "log_in");
    assert_eq!(roles(&eve).await, ["member"]);
    server.client().log_in(&server.email("eve"), PASSWORD).await;

    let bob = server.stranger("bob").await;
    owner.invite("{org}", &server.email("Bob"), &["viewer", "admin"]).await.expect(201);
    let token = server.invitation_token(&server.email("Bob"), 1).await;
    let joined = bob.accept(&token, json!({})).await.expect(200);
    assert_eq!(
        (&joined["next"], &joined["message"]),
        (&json!("continue"), &json!(format!("You are now a member of {}.", server.slug)))
    );
    let mut held = roles(&bob).await;
    held.sort();
    assert_eq!(held, ["admin", "viewer"]);
    bob.accept(&token, json!({})).await.problem(410, "INVITATION_EXPIRED");
}

#[tokio::test]
async fn another_user_is_told_the_recipient_and_it_stays_valid() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let token = invite_eve(&server, &owner).await;
    let bob = server.stranger("bob").await;
    let reply = bob.accept(&token, json!({ "password": PASSWORD })).await;
    let problem = reply.problem(409, "INVITATION_EMAIL_MISMATCH");
    assert_eq!(problem["email_masked"], server.email("e***"));
    assert!(!reply.text().contains("eve@"), "{}", reply.text());
    bob.get(MINE).await.problem(404, "NOT_FOUND");
    server.client().bearer("x").accept(&token, json!({})).await.problem(401, "INVALID_TOKEN");
    // Logged out, it is one call.
    server.client().accept(&token, json!({ "password": PASSWORD })).await.expect(200);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_accept() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    server.stranger("eve").await;
    let token = invite_eve(&server, &owner).await;
    let origin = server.url("");
    let (eve, _) = Browser::log_in(&server.client(), &origin, &server.email("eve")).await;
    let body = json!({ "token": token });
    let path = "/api/v1/invitations/accept";
    eve.forged("POST", path).json(body.clone()).await.problem(403, "CSRF_FAILED");
    for path in [path, PREVIEW, DECLINE] {
        let foreign = eve.on_page_of("https://evil.example").post(path, body.clone());
        foreign.await.problem(403, "CSRF_FAILED");
    }
    assert_eq!(eve.post(path, body).await.expect(200)["next"], "continue");
}

#[tokio::test]
async fn an_unverified_account_loses_its_password_and_its_sessions() {
    let server = Server::shared_with_mail().await;
    let (inbox, slug) = (Inbox::own(&server).await, unique("acme"));
    let owner = server.register("ada").await;
    let verify = json!({ "token": inbox.last("send_verification").await.token });
    owner.post("/api/v1/auth/email/verify", verify).await.expect(200);
    owner.create_organization(&slug).await;
    // Somebody opens an account with Eve's address, and waits.
    let attacker = server.client().in_organization(&slug).register(&server.email("eve")).await;
    attacker.get(MY_INVITATIONS).await.problem(403, "EMAIL_UNVERIFIED");
    owner.invite(&slug, &server.email("eve"), &["member"]).await.expect(201);
    let mail = inbox.last("send_invitation").await;
    assert_eq!(mail.to, server.email("eve"));
    let seen = preview(&server.client(), &mail.token).await.expect(200);
    assert_eq!((&seen["has_account"], &seen["needs_password"]), (&json!(true), &json!(true)));
    // To be logged in with that account is worth no more than not to be.
    for client in [&server.client(), &attacker] {
        let reply = client.accept(&mail.token, json!({})).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["password REQUIRED"]);
    }
    let chosen = "Violet-harbour-92-lamp";
    let joined = attacker.accept(&mail.token, json!({ "password": chosen })).await.expect(200);
    assert_eq!(joined["next"], "log_in");
    attacker.get(ME).await.problem(401, "INVALID_TOKEN");
    let old = json!({ "email": &server.email("eve"), "password": PASSWORD });
    server.client().post(LOG_IN, old).await.problem(401, "INVALID_CREDENTIALS");
    let eve = server.client().in_organization(&slug).log_in(&server.email("eve"), chosen).await;
    assert!(eve.get(ME).await.expect(200)["email_verified_at"].is_string());
    assert_eq!(roles(&eve).await, ["member"]);
    // What was e-mailed to verify it before is worth nothing.
    let verify = json!({ "token": inbox.last("send_verification").await.token });
    server.client().post("/api/v1/auth/email/verify", verify).await.problem(410, "LINK_EXPIRED");
}

#[tokio::test]
async fn roles_that_the_inviter_can_no_longer_grant_are_refused() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let adam = server.join("adam", "admin").await;
    let (database, own, adams_email) = (server.database().await, server.own_rows(), server.email("adam"));
    let invited = async |email: &str| {
        let made = adam.invite("{org}", email, &["admin"]).await.expect(201);
        let path = format!("/api/v1/organizations/{{org}}/invitations/{}", made["id"].as_str().unwrap());
        (path, server.invitation_token(email, 1).await)
    };
    let adams = format!(
        "(SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = '{adams_email}' AND m.{own})"
    );
    let role = |key: &str| format!("(SELECT id FROM roles WHERE {own} AND key = '{key}')");
    let (admin, viewer) = (role("admin"), role("viewer"));
    for (name, change) in [
        ("one", format!("UPDATE member_roles SET role_id = {viewer} WHERE member_id = {adams}")),
        ("two", format!("UPDATE members SET status = 'suspended' WHERE id = {adams}")),
        ("three", format!("UPDATE users SET is_active = false WHERE email = '{adams_email}'")),
    ] {
        let email = &server.email(name);
        for restored in [
            format!("UPDATE member_roles SET role_id = {admin} WHERE member_id = {adams}"),
            format!("UPDATE members SET status = 'active' WHERE id = {adams}"),
        ] {
            database.execute(&restored).await;
        }
        let (path, token) = invited(email).await;
        assert_eq!(database.execute(&change).await, 1, "{change}");
        let newcomer = json!({ "password": PASSWORD });
        server.client().accept(&token, newcomer.clone()).await.problem(409, "INVITATION_UNSUPPORTED");
        // Nothing of it happened, and an owner who sends it again stands behind it.
        server
            .client()
            .post(LOG_IN, json!({ "email": email, "password": PASSWORD }))
            .await
            .problem(401, "INVALID_CREDENTIALS");
        owner.request("POST", &format!("{path}/resend")).await.expect(200);
        server.client().accept(&server.invitation_token(email, 2).await, newcomer).await.expect(200);
    }
}

#[tokio::test]
async fn a_removed_member_rejoins_as_the_same_member_with_the_invited_roles() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let eve = server.stranger("eve").await;
    let database = server.database().await;
    database.join(&server.slug, &server.email("eve"), "admin").await;
    let member = eve.get(MINE).await.expect(200)["member_id"].clone();
    let hers = format!(
        "user_id = (SELECT id FROM users WHERE email = '{}') AND {}",
        server.email("eve"),
        server.own_rows()
    );
    database
        .execute(&format!("UPDATE members SET status = 'removed', removed_at = joined_at WHERE {hers}"))
        .await;
    owner.invite("{org}", &server.email("eve"), &["viewer"]).await.expect(201);
    let joined =
        eve.accept(&server.invitation_token(&server.email("eve"), 1).await, json!({})).await.expect(200);
    assert_eq!(joined["member_id"], member);
    assert_eq!(roles(&eve).await, ["viewer"]);
    let rows = format!(
        "SELECT count(*) FROM members WHERE {hers} AND status = 'active' AND removed_at IS NULL AND version = 2"
    );
    assert_eq!(database.scalar(&rows).await, 1);
}

#[tokio::test]
async fn a_user_who_became_a_member_is_told_so() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let eve = server.stranger("eve").await;
    let token = invite_eve(&server, &owner).await;
    let database = server.database().await;
    database.join(&server.slug, &server.email("eve"), "viewer").await;
    eve.accept(&token, json!({})).await.problem(409, "ALREADY_MEMBER");
    let suspend = format!(
        "UPDATE members SET status = 'suspended' WHERE user_id = (SELECT id FROM users WHERE email = '{}')",
        server.email("eve")
    );
    database.execute(&suspend).await;
    server.client().accept(&token, json!({})).await.problem(409, "ALREADY_MEMBER");
    let made = owner.get("/api/v1/organizations/{org}/invitations").await.expect(200);
    let path = format!(
        "/api/v1/organizations/{{org}}/invitations/{}/resend",
        made["data"][0]["id"].as_str().unwrap()
    );
    owner.request("POST", &path).await.problem(409, "ALREADY_MEMBER");
}

#[tokio::test]
async fn a_declined_invitation_cannot_be_accepted() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let token = invite_eve(&server, &owner).await;
    let decline = || server.client().post(DECLINE, json!({ "token": token }));
    assert!(decline().await.expect(200)["message"].is_string());
    decline().await.problem(410, "INVITATION_EXPIRED");
    server.client().accept(&token, json!({ "password": PASSWORD })).await.problem(410, "INVITATION_EXPIRED");
    let database = server.database().await;
    let accounts = format!("SELECT count(*) FROM users WHERE email = '{}'", server.email("eve"));
    assert_eq!(database.scalar(&accounts).await, 0);
    let recorded = server.event_details("invitation.declined").await;
    assert_eq!(recorded, [r#"{"after":{"status":"declined"},"before":{"status":"pending"}}"#]);
}

#[tokio::test]
async fn a_suspended_organization_or_account_accepts_no_invitation() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let eve = server.stranger("eve").await;
    let token = invite_eve(&server, &owner).await;
    let database = server.database().await;
    let set = async |column: &str| {
        database.execute(&format!("UPDATE organizations SET {column} WHERE slug = '{}'", server.slug)).await;
    };
    set("status = 'suspended'").await;
    eve.accept(&token, json!({})).await.problem(403, "ORGANIZATION_SUSPENDED");
    set("status = 'active', deleted_at = created_at").await;
    eve.accept(&token, json!({})).await.problem(410, "INVITATION_EXPIRED");
    preview(&server.client(), &token).await.problem(410, "INVITATION_EXPIRED");
    set("deleted_at = NULL").await;
    let set_active =
        |value: bool| format!("UPDATE users SET is_active = {value} WHERE email = '{}'", server.email("eve"));
    database.execute(&set_active(false)).await;
    server.client().accept(&token, json!({})).await.problem(403, "INACTIVE_USER");
    database.execute(&set_active(true)).await;
    server.client().accept(&token, json!({})).await.expect(200);
    for other in ["x", &format!("{}x", &token[..token.len() - 1])] {
        preview(&server.client(), other).await.problem(410, "INVITATION_EXPIRED");
    }
}

//! The invitations for the e-mail address of a user, from all organizations.

use insula_tests::{Client, OrgWithOwner, Reply, eventually, unique};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const MY_INVITATIONS: &str = "/api/v1/users/me/invitations";

#[tokio::test]
async fn a_user_sees_the_invitations_for_their_address() {
    let server = OrgWithOwner::start().await;
    let (owner, eve, email) = (&server.owner, server.stranger("eve").await, server.email("eve"));
    let others = ["second", "third", "gone"].map(unique);
    for slug in &others {
        owner.create_organization(slug).await;
        owner.invite(slug, &server.email("EVE"), &["viewer"]).await.expect(201);
    }
    let [second, third, gone] = &others;
    owner.invite("{org}", &email, &["member"]).await.expect(201);
    let token = server.invitation_token(&email, 1).await;
    let database = server.database().await;
    let delete = format!("UPDATE organizations SET deleted_at = created_at WHERE slug = '{gone}'");
    database.execute(&delete).await;
    let slugs = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|one| one["organization"]["slug"].as_str().unwrap().to_owned()).collect()
    };
    let page = eve.get(MY_INVITATIONS).await.expect(200);
    assert_eq!(slugs(&page), [&**second, third, &server.slug]);
    let mine = &page["data"][2];
    let acme = owner.get("/api/v1/organizations/{org}").await.expect(200);
    assert_eq!((&mine["organization"]["id"], &mine["inviter"]), (&acme["id"], &json!("ada")));
    assert_eq!(mine["roles"][0]["key"], "member");
    let first = eve.get(&format!("{MY_INVITATIONS}?limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        slugs(&eve.get(&format!("{MY_INVITATIONS}?cursor={cursor}")).await.expect(200)),
        [&**third, &server.slug]
    );
    eve.accept(&token, json!({})).await.expect(200);
    assert_eq!(slugs(&eve.get(MY_INVITATIONS).await.expect(200)), [&**second, third]);
    assert_eq!(owner.get(MY_INVITATIONS).await.expect(200)["data"], json!([]));
}

/// Answers the invitation with the session of `who`.
async fn answer(who: &Client, invitation: &Value, answer: &str) -> Reply {
    let id = invitation["id"].as_str().unwrap();
    who.request("POST", &format!("{MY_INVITATIONS}/{id}/{answer}")).await
}

#[tokio::test]
async fn a_signed_in_user_accepts_without_the_token() {
    let server = OrgWithOwner::start().await;
    let (owner, eve, email) = (&server.owner, server.stranger("eve").await, server.email("eve"));
    let sent = owner.invite("{org}", &server.email("EVE"), &["member", "viewer"]).await.expect(201);
    let token = server.invitation_token(&server.email("EVE"), 1).await;
    let joined = answer(&eve, &sent, "accept").await.expect(200);
    assert_eq!((&joined["next"], &joined["email"]), (&json!("continue"), &json!(email)));
    assert_eq!(joined["organization"]["slug"], server.slug);
    let mine = eve.get("/api/v1/organizations/{org}/me/permissions").await.expect(200);
    assert_eq!(mine["roles"].as_array().unwrap().len(), 2, "{mine}");
    // It is used up, and so is its token.
    answer(&eve, &sent, "accept").await.problem(410, "INVITATION_EXPIRED");
    answer(&eve, &sent, "decline").await.problem(410, "INVITATION_EXPIRED");
    eve.accept(&token, json!({})).await.problem(410, "INVITATION_EXPIRED");
    let listed = owner.get("/api/v1/organizations/{org}/invitations?status=accepted").await.expect(200);
    assert_eq!(listed["data"][0]["id"], sent["id"]);
}

#[tokio::test]
async fn a_signed_in_user_declines_without_the_token() {
    let server = OrgWithOwner::start().await;
    let (owner, eve, email) = (&server.owner, server.stranger("eve").await, server.email("eve"));
    let sent = owner.invite("{org}", &email, &["member"]).await.expect(201);
    let token = server.invitation_token(&email, 1).await;
    answer(&eve, &sent, "decline").await.expect(200);
    eve.accept(&token, json!({})).await.problem(410, "INVITATION_EXPIRED");
    answer(&eve, &sent, "accept").await.problem(410, "INVITATION_EXPIRED");
    assert_eq!(eve.get(MY_INVITATIONS).await.expect(200)["data"], json!([]));
    let listed = owner.get("/api/v1/organizations/{org}/invitations?status=declined").await.expect(200);
    assert_eq!(listed["data"][0]["id"], sent["id"]);
    let who = format!(
        "SELECT actor_kind FROM audit_events WHERE action = 'invitation.declined'
         AND actor_id = (SELECT id FROM users WHERE email = '{email}')"
    );
    assert_eq!(server.database().await.texts(&who).await, ["user"]);
}

#[tokio::test]
async fn an_invitation_to_another_address_is_not_found() {
    let server = OrgWithOwner::start().await;
    let (owner, eve, bob) = (&server.owner, server.stranger("eve").await, server.stranger("bob").await);
    let sent = owner.invite("{org}", &server.email("eve"), &["member"]).await.expect(201);
    let unknown = json!({ "id": "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091" });
    for way in ["accept", "decline"] {
        let other = answer(&bob, &sent, way).await;
        other.problem(404, "NOT_FOUND");
        assert_eq!(other.outcome(), answer(&bob, &unknown, way).await.outcome());
    }
    let database = server.database().await;
    let verified = |to: &str| {
        format!("UPDATE users SET email_verified_at = {to} WHERE email = '{}'", server.email("eve"))
    };
    assert_eq!(database.execute(&verified("NULL")).await, 1);
    for way in ["accept", "decline"] {
        let unverified = answer(&eve, &sent, way).await;
        unverified.problem(404, "NOT_FOUND");
    }
    assert_eq!(database.execute(&verified("created_at")).await, 1);
    // Nothing used it up.
    answer(&eve, &sent, "accept").await.expect(200);
}

#[tokio::test]
async fn only_one_of_several_answers_counts() {
    let server = OrgWithOwner::start().await;
    let (owner, eve, email) = (&server.owner, server.stranger("eve").await, server.email("eve"));
    let sent = owner.invite("{org}", &email, &["member"]).await.expect(201);
    let token = server.invitation_token(&email, 1).await;
    let (one, two, three) = tokio::join!(
        answer(&eve, &sent, "accept"),
        answer(&eve, &sent, "decline"),
        eve.accept(&token, json!({}))
    );
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410, 410]);
}

/// The same rules as with the token.
#[tokio::test]
async fn an_invitation_that_is_over_is_refused() {
    let server = OrgWithOwner::start().await;
    let (owner, eve, email) = (&server.owner, server.stranger("eve").await, server.email("eve"));
    let database = server.database().await;
    let sent = owner.invite("{org}", &email, &["member"]).await.expect(201);
    let id = sent["id"].as_str().unwrap();
    let suspend =
        |status: &str| format!("UPDATE organizations SET status = '{status}' WHERE slug = '{}'", server.slug);
    database.execute(&suspend("suspended")).await;
    answer(&eve, &sent, "accept").await.problem(403, "ORGANIZATION_SUSPENDED");
    database.execute(&suspend("active")).await;
    owner.delete(&format!("/api/v1/organizations/{{org}}/invitations/{id}")).await.expect(204);
    answer(&eve, &sent, "accept").await.problem(410, "INVITATION_EXPIRED");
    let sent = owner.invite("{org}", &email, &["member"]).await.expect(201);
    let over = format!(
        "UPDATE invitations SET expires_at = created_at WHERE email = '{email}' AND status = 'pending'"
    );
    assert_eq!(database.execute(&over).await, 1);
    answer(&eve, &sent, "accept").await.problem(410, "INVITATION_EXPIRED");
    answer(&eve, &sent, "decline").await.problem(410, "INVITATION_EXPIRED");
}

#[tokio::test]
async fn a_purged_account_leaves_no_invitation() {
    let server = OrgWithOwner::alone().await;
    let (owner, eve) = (&server.owner, server.stranger("eve").await);
    owner.invite("{org}", "eve@example.com", &["viewer"]).await.expect(201);
    owner.create_organization("second").await;
    owner.invite("second", "eve@example.com", &["viewer"]).await.expect(201);
    owner.invite("second", "bob@example.com", &["viewer"]).await.expect(201);
    eve.delete(ME).await.expect(202);
    let database = server.database().await;
    database.execute("UPDATE users SET purge_after = created_at WHERE email = 'eve@example.com'").await;
    database.make_due("purge-accounts").await;
    eventually("she is forgotten", async || {
        database.scalar("SELECT count(*) FROM invitations WHERE email_canonical = 'eve@example.com'").await
            == 0
    })
    .await;
    assert_eq!(database.scalar("SELECT count(*) FROM invitations").await, 1);
    assert_eq!(
        database
            .scalar("SELECT count(*) FROM one_time_tokens WHERE email_canonical = 'eve@example.com'")
            .await,
        0
    );
}

//! The invitations for the e-mail address of a user, from all organizations.

use insula_tests::{OrgWithOwner, eventually, unique};
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

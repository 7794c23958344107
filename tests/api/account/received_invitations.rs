//! The invitations for the e-mail address of a user, from all organizations.

use insula_tests::{Client, Organization, Server, eventually};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const MY_INVITATIONS: &str = "/api/v1/users/me/invitations";

async fn acme() -> (Server, Client, Organization) {
    let server = Server::start().await;
    let owner = server.client().register("ada@example.com").await;
    let acme = owner.create_organization("acme").await;
    (server, owner, acme)
}

#[tokio::test]
async fn a_user_sees_the_invitations_for_their_address() {
    let (server, owner, acme) = acme().await;
    let eve = server.client().register("eve@example.com").await;
    for slug in ["second", "third", "gone"] {
        owner.create_organization(slug).await;
        owner.invite(slug, "EVE@example.com", &["viewer"]).await.expect(201);
    }
    owner.invite("acme", "eve@example.com", &["member"]).await.expect(201);
    let token = server.invitation_token("eve@example.com", 1).await;
    let database = server.database().await;
    database.execute("UPDATE organizations SET deleted_at = created_at WHERE slug = 'gone'").await;
    let slugs = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|one| one["organization"]["slug"].as_str().unwrap().to_owned()).collect()
    };
    let page = eve.get(MY_INVITATIONS).await.expect(200);
    assert_eq!(slugs(&page), ["second", "third", "acme"]);
    let mine = &page["data"][2];
    assert_eq!((&mine["organization"]["id"], &mine["inviter"]), (&json!(acme.id), &json!("ada")));
    assert_eq!(mine["roles"][0]["key"], "member");
    let first = eve.get(&format!("{MY_INVITATIONS}?limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        slugs(&eve.get(&format!("{MY_INVITATIONS}?cursor={cursor}")).await.expect(200)),
        ["third", "acme"]
    );
    eve.accept(&token, json!({})).await.expect(200);
    assert_eq!(slugs(&eve.get(MY_INVITATIONS).await.expect(200)), ["second", "third"]);
    assert_eq!(owner.get(MY_INVITATIONS).await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_purged_account_leaves_no_invitation() {
    let (server, owner, _) = acme().await;
    let eve = server.client().register("eve@example.com").await;
    owner.invite("acme", "eve@example.com", &["viewer"]).await.expect(201);
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

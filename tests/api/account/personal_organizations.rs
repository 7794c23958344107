//! The personal organization of an account, and the default organization of a user.

use std::collections::HashSet;

use insula_tests::{Client, OrgFixture, PASSWORD, Server, concurrently, eventually, unique};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const MINE: &str = "/api/v1/users/me/organizations";

/// Registers; gives the answer and the signed-in user.
async fn register(server: &Server, mut person: Value) -> (Value, Client) {
    person["password"] = json!(PASSWORD);
    let made = server.client().post("/api/v1/auth/register", person.clone()).await.expect(201);
    (made, server.client().log_in(person["email"].as_str().unwrap(), PASSWORD).await)
}

async fn mine(person: &Client) -> Vec<Value> {
    person.get(MINE).await.expect(200)["data"].as_array().unwrap().clone()
}

async fn default(person: &Client) -> Value {
    person.get(ME).await.expect(200)["default_organization_id"].clone()
}

#[tokio::test]
async fn a_new_user_has_exactly_one() {
    let server = Server::shared().await;
    let username = unique("Ada.L");
    let person = json!({ "email": server.email("ada"), "username": username, "first_name": "Ada" });
    let (made, ada) = register(&server, person).await;
    let mine = mine(&ada).await;
    let [one] = &mine[..] else { panic!("{mine:?}") };
    let organization = &one["organization"];
    assert_eq!((&organization["kind"], &organization["name"]), (&json!("personal"), &json!("Ada's")));
    assert_eq!(one["roles"][0]["key"], "owner");
    let slug = organization["slug"].as_str().unwrap();
    let suffix = slug.strip_prefix(&username.to_lowercase().replace('.', "-")).unwrap();
    let suffix = suffix.strip_prefix('-').unwrap();
    assert!(
        suffix.len() == 6 && suffix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
        "{slug}"
    );
    assert_eq!(
        (&made["default_organization_id"], default(&ada).await),
        (&organization["id"], organization["id"].clone())
    );
    // It is one like any other to work in.
    let project = json!({ "code": "P", "name": "P" });
    ada.post(&format!("/api/v1/organizations/{slug}/projects"), project).await.expect(201);
    // Strangers do not see it.
    let (_, eve) = register(&server, json!({ "email": server.email("ada") + ".org" })).await;
    eve.get(&format!("/api/v1/organizations/{slug}")).await.problem(404, "NOT_FOUND");
    let theirs = mine_slug(&eve).await;
    assert!(theirs.starts_with("ada-") && theirs != slug, "{theirs}");
}

async fn mine_slug(person: &Client) -> String {
    mine(person).await[0]["organization"]["slug"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let server = Server::builder().env("INSULA_PERSONAL_ORGANIZATIONS", "false").start().await;
    let (made, ada) = register(&server, json!({ "email": "ada@example.com" })).await;
    assert_eq!((&made["default_organization_id"], mine(&ada).await.len()), (&Value::Null, 0));
    // The first one is where one works.
    let (first, second) = (ada.create_organization("first").await, ada.create_organization("second").await);
    assert_eq!(default(&ada).await, json!(first.id));
    ada.patch(ME, json!({ "default_organization_id": second.id })).await.expect(200);
    assert_eq!(default(&ada).await, json!(second.id));
}

#[tokio::test]
async fn the_default_organization_is_one_of_the_users_memberships() {
    let server = Server::shared().await;
    let (_, ada) = register(&server, json!({ "email": server.email("ada") })).await;
    let (_, eve) = register(&server, json!({ "email": server.email("eve") })).await;
    let (personal, acme) = (default(&ada).await, ada.create_organization(&unique("acme")).await);
    let theirs = eve.create_organization(&unique("theirs")).await;
    for not_mine in
        [theirs.id.as_str(), "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091", "00000000-0000-0000-0000-000000000000"]
    {
        let reply = ada.patch(ME, json!({ "default_organization_id": not_mine })).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["default_organization_id UNKNOWN_REFERENCE"]);
    }
    assert_eq!(default(&ada).await, personal);
    let chosen = ada.patch(ME, json!({ "default_organization_id": acme.id })).await.expect(200);
    assert_eq!(chosen["default_organization_id"], json!(acme.id));
    ada.patch(ME, json!({ "default_organization_id": null })).await.expect(200);
    assert_eq!(default(&ada).await, personal);

    // What is stale reads as the oldest one.
    ada.patch(ME, json!({ "default_organization_id": acme.id })).await.expect(200);
    let database = server.database().await;
    let acmes = format!("organization_id IN (SELECT id FROM organizations WHERE slug = '{}')", acme.slug);
    for (spoil, mend) in [
        (
            format!("UPDATE members SET status = 'suspended' WHERE {acmes}"),
            format!("UPDATE members SET status = 'active' WHERE {acmes}"),
        ),
        (
            format!("UPDATE organizations SET deleted_at = created_at WHERE slug = '{}'", acme.slug),
            format!("UPDATE organizations SET deleted_at = NULL WHERE slug = '{}'", acme.slug),
        ),
    ] {
        // A change from outside is noticed within a second.
        database.execute(&spoil).await;
        eventually("the oldest one", async || default(&ada).await == personal).await;
        database.execute(&mend).await;
        eventually("the chosen one", async || default(&ada).await == json!(acme.id)).await;
    }
    let remove = format!("UPDATE members SET status = 'removed' WHERE user_id IN {}", server.own_users());
    database.execute(&remove).await;
    eventually("none", async || default(&ada).await == Value::Null).await;
}

#[tokio::test]
async fn of_eight_registrations_of_one_address_one_makes_one_account_and_one_organization() {
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let replies = concurrently(8, |_| {
        let person = json!({ "email": "ada@example.com", "password": PASSWORD });
        let request = server.client().post("/api/v1/auth/register", person);
        async move { request.await.status }
    });
    let mut statuses = replies.await;
    // Hashing is rationed: who waits too long may try again.
    statuses.retain(|status| *status != 503);
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(HashSet::<u16>::from_iter(statuses).difference(&HashSet::from([201, 409])).count(), 0);
    let database = server.database().await;
    for table in ["users", "credentials", "organizations", "members", "outbox"] {
        assert_eq!(database.scalar(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
}

#[tokio::test]
async fn the_default_organization_is_current_after_every_change() {
    let without = Server::builder().env("INSULA_PERSONAL_ORGANIZATIONS", "false").start().await;
    let org = OrgFixture::on(without).await;
    let mia = &org.mia;
    let acme = org.owner.get(&org.path("")).await.expect(200)["id"].clone();
    assert_eq!(default(mia).await, acme);

    let member = org.path(&format!("/members/{}", org.member(mia).await));
    for (status, expected) in [("suspended", &Value::Null), ("active", &acme)] {
        org.admin.patch(&member, json!({ "status": status })).await.expect(200);
        assert_eq!(&default(mia).await, expected, "{status}");
    }
    org.owner.delete(&org.path("")).await.expect(202);
    assert_eq!(default(mia).await, Value::Null);
    org.owner.request("POST", &org.path("/restore")).await.expect(200);
    assert_eq!(default(mia).await, acme);
    let own = mia.create_organization("own").await;
    assert_eq!(default(mia).await, acme, "the oldest membership");
    mia.patch(ME, json!({ "default_organization_id": own.id })).await.expect(200);
    assert_eq!(default(mia).await, json!(own.id));
    mia.patch(ME, json!({ "default_organization_id": null })).await.expect(200);
    assert_eq!(default(mia).await, acme);
    org.admin.delete(&member).await.expect(204);
    assert_eq!(default(mia).await, json!(own.id));
}

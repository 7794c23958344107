//! `PATCH /users/me` and `GET /users/me/organizations`: the profile and the memberships of a user.

use insula_tests::{Client, PASSWORD, Server, SharedServer, unique};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const MINE: &str = "/api/v1/users/me/organizations";

async fn ada() -> (SharedServer, Client) {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    (server, ada)
}

#[tokio::test]
async fn a_profile_has_the_values_that_the_user_set() {
    let (_server, ada) = ada().await;
    let before = ada.get(ME).await.expect(200);
    let recorded = |user: &Value| {
        ["locale", "timezone", "week_start", "display_name"]
            .map(|field| user[field].as_str().unwrap().to_owned())
    };
    assert_eq!(recorded(&before), ["en", "UTC", "monday", "ada"]);
    let username = unique("Ada");
    let changes = json!({
        "first_name": " Ada ", "last_name": "Lovelace", "username": username,
        "locale": "de-ch", "timezone": "Europe/Zurich", "week_start": "sunday",
    });
    let changed = ada.patch(ME, changes).await;
    let body = changed.expect(200);
    assert_eq!(recorded(&body), ["de-CH", "Europe/Zurich", "sunday", "Ada Lovelace"]);
    assert_eq!(
        (&body["username"], &body["version"], changed.header("etag")),
        (&json!(username), &json!(2), Some("\"2\""))
    );
    assert_eq!(ada.get(ME).await.expect(200), body);

    let cleared = ada.patch(ME, json!({ "first_name": null, "last_name": null, "username": null })).await;
    let body = cleared.expect(200);
    assert_eq!(
        (&body["first_name"], &body["username"], &body["display_name"]),
        (&Value::Null, &Value::Null, &json!("ada"))
    );
    assert_eq!(body["locale"], "de-CH", "absent is unchanged");
}

#[tokio::test]
async fn the_new_username_logs_in_and_the_old_one_does_not() {
    let (server, ada) = ada().await;
    let (first, second) = (unique("first"), unique("second"));
    for name in [&first, &second.to_uppercase()] {
        ada.patch(ME, json!({ "username": name })).await.expect(200);
    }
    let log_in = |name: &str| {
        let who = json!({ "username": name, "password": PASSWORD });
        server.client().post("/api/v1/auth/login", who)
    };
    log_in(&second).await.expect(200);
    log_in(&first).await.problem(401, "INVALID_CREDENTIALS");
    let eve = server.register("eve").await;
    eve.patch(ME, json!({ "username": second.replace('s', "S") })).await.problem(409, "USERNAME_TAKEN");
    eve.patch(ME, json!({ "username": first })).await.expect(200);
}

#[tokio::test]
async fn users_cannot_set_protected_fields() {
    let (server, ada) = ada().await;
    let before = ada.get(ME).await.outcome();
    for (field, value) in [
        ("is_superuser", json!(true)),
        ("is_active", json!(false)),
        ("email_verified_at", json!(null)),
        ("email", json!(server.email("eve"))),
        ("id", json!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091")),
        ("version", json!(7)),
        ("display_name", json!("Root")),
    ] {
        let mut patch = json!({ "first_name": "x" });
        patch[field] = value;
        let reply = ada.patch(ME, patch).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("{field} UNKNOWN_FIELD")]);
    }
    assert_eq!(ada.get(ME).await.outcome(), before);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let (_server, ada) = ada().await;
    let wrong = json!({
        "first_name": " ", "username": "a b", "locale": "de_CH", "timezone": "Mars/Olympus", "week_start": "friday",
    });
    let reply = ada.patch(ME, wrong).await;
    reply.problem(422, "VALIDATION_FAILED");
    let fields: Vec<_> =
        reply.faults().iter().map(|fault| fault.split(' ').next().unwrap().to_owned()).collect();
    // Errors of the schema come before errors of the types.
    for field in ["locale", "username", "week_start"] {
        assert!(fields.iter().any(|named| named == field), "{field} {fields:?}");
    }
    let reply = ada.patch(ME, json!({ "first_name": " ", "timezone": "Mars/Olympus" })).await;
    assert_eq!(reply.faults(), ["first_name TOO_SHORT", "timezone UNKNOWN_TIMEZONE"]);
    for field in ["locale", "timezone", "week_start"] {
        let reply = ada.patch(ME, json!({ field: null })).await;
        assert_eq!(reply.faults(), [format!("{field} NULL_NOT_ALLOWED")]);
    }
}

#[tokio::test]
async fn of_two_copies_the_stale_one_is_refused() {
    let (_server, ada) = ada().await;
    ada.patch(ME, json!({ "first_name": "Ada" })).header("if-match", "\"1\"").await.expect(200);
    let stale = ada.patch(ME, json!({ "first_name": "Eve" })).header("if-match", "\"1\"").await;
    stale.problem(412, "PRECONDITION_FAILED");
    // What changes nothing is no change.
    let same = ada.patch(ME, json!({ "first_name": "Ada" })).header("if-match", "\"2\"").await;
    assert_eq!((same.expect(200)["version"].as_i64(), same.header("etag")), (Some(2), Some("\"2\"")));
}

#[tokio::test]
async fn the_log_records_a_profile_update_without_personal_data() {
    let (server, ada) = ada().await;
    let patch =
        json!({ "first_name": "Augusta", "username": unique("augusta"), "locale": "fr", "timezone": "UTC" });
    ada.patch(ME, patch).await.expect(200);
    ada.patch(ME, json!({ "locale": "fr" })).await.expect(200);
    let database = server.database().await;
    let recorded = format!(
        "SELECT details FROM audit_events WHERE action = 'user.updated' AND actor_id IN {}",
        server.own_users()
    );
    let recorded = database.texts(&recorded).await;
    let recorded: Vec<Value> =
        recorded.iter().map(|details| serde_json::from_str(details).unwrap()).collect();
    let expected = json!({
        "before": { "locale": "en" },
        "after": { "locale": "fr", "renamed": ["first_name", "username"] },
    });
    assert_eq!(recorded, [expected]);
}

/// The slugs and roles of the organizations of a user, by pages of `limit`.
async fn listed(person: &Client, limit: usize) -> Vec<String> {
    let (mut listed, mut path) = (Vec::new(), format!("{MINE}?limit={limit}"));
    loop {
        let page = person.get(&path).await.expect(200);
        for one in page["data"].as_array().unwrap() {
            let roles: Vec<_> =
                one["roles"].as_array().unwrap().iter().map(|role| role["key"].as_str().unwrap()).collect();
            let slug = one["organization"]["slug"].as_str().unwrap();
            listed.push(format!("{slug} {} {}", one["status"].as_str().unwrap(), roles.join("+")));
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return listed };
        path = format!("{MINE}?limit={limit}&cursor={cursor}");
    }
}

#[tokio::test]
async fn a_user_lists_their_own_memberships_only() {
    let server = Server::builder().env("INSULA_PERSONAL_ORGANIZATIONS", "false").start().await;
    let ada = server.client().register("ada@example.com").await;
    let eve = server.client().register("eve@example.com").await;
    assert_eq!(listed(&ada, 20).await, [""; 0]);
    for slug in ["one", "two", "three", "gone"] {
        ada.create_organization(slug).await;
    }
    eve.create_organization("theirs").await;
    eve.create_organization("shared").await;
    let database = server.database().await;
    database.join("shared", "ada@example.com", "viewer").await;
    database.join("theirs", "ada@example.com", "admin").await;
    let in_theirs = "user_id IN (SELECT id FROM users WHERE email = 'ada@example.com')
        AND organization_id IN (SELECT id FROM organizations WHERE slug = 'theirs')";
    database.execute("UPDATE organizations SET deleted_at = created_at WHERE slug = 'gone'").await;
    database.execute(&format!("UPDATE members SET status = 'suspended' WHERE {in_theirs}")).await;

    let mut expected = vec![
        "one active owner",
        "shared active viewer",
        "theirs suspended admin",
        "three active owner",
        "two active owner",
    ];
    for limit in [1, 2, 20] {
        let mut listed = listed(&ada, limit).await;
        listed.sort();
        assert_eq!(listed, expected, "{limit}");
    }
    database.execute(&format!("UPDATE members SET status = 'removed' WHERE {in_theirs}")).await;
    expected.remove(2);
    let mut listed_now = listed(&ada, 2).await;
    listed_now.sort();
    assert_eq!(listed_now, expected);
    // Another user's cursor is none.
    let page = ada.get(&format!("{MINE}?limit=1")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    eve.get(&format!("{MINE}?cursor={cursor}")).await.problem(422, "INVALID_CURSOR");
}

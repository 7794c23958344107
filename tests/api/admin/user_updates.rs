//! `PATCH /admin/users/{user}`: updates by superusers, and what a new e-mail address revokes.

use std::collections::BTreeMap;

use insula_tests::{Client, Inbox, PASSWORD, Server, SharedServer, TestDatabase, concurrently, unique};
use serde_json::{Value, json};

const USERS: &str = "/api/v1/admin/users";
const ME: &str = "/api/v1/users/me";
const LOG_IN: &str = "/api/v1/auth/login";

async fn path(person: &Client) -> String {
    format!("{USERS}/{}", person.get(ME).await.expect(200)["id"].as_str().unwrap())
}

/// Ada, whose account a superuser can change.
async fn ada() -> (SharedServer, Client, Client, String) {
    let server = Server::shared().await;
    let (superuser, ada) = (server.superuser().await, server.register("ada").await);
    let path = path(&ada).await;
    (server, superuser, ada, path)
}

/// Another superuser, logged in, with the path of their account.
async fn second(server: &Server, superuser: &Client, email: &str) -> (Client, String) {
    let draft = json!({ "email": email, "password": PASSWORD, "is_superuser": true });
    superuser.post(USERS, draft).await.expect(201);
    let second = server.client().log_in(email, PASSWORD).await;
    let path = path(&second).await;
    (second, path)
}

async fn log_in(server: &Server, email: &str) -> u16 {
    server.client().post(LOG_IN, json!({ "email": email, "password": PASSWORD })).await.status
}

/// The audit events of updates of the account at this path: action and details.
async fn recorded_events(database: &TestDatabase, path: &str) -> Vec<(String, Value)> {
    let id = path.rsplit('/').next().unwrap();
    let changes = "('user.updated', 'user.promoted', 'user.demoted', 'user.email_changed')";
    let events = format!(
        "SELECT action || ' ' || details FROM audit_events WHERE action IN {changes} AND actor_kind = 'superuser'
         AND resource_id = '{id}' ORDER BY occurred_at, id"
    );
    let recorded_events = database.texts(&events).await;
    let recorded_events = recorded_events.iter().map(|event| event.split_once(' ').unwrap());
    recorded_events
        .map(|(action, details)| (action.to_owned(), serde_json::from_str(details).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_superuser_updates_the_fields_that_users_can_update_themselves() {
    let (server, superuser, ada, path) = ada().await;
    let username = unique("Ada");
    let patch = json!({
        "first_name": " Ada ", "last_name": "Lovelace", "username": username,
        "locale": "de-ch", "timezone": "Europe/Zurich", "week_start": "sunday",
    });
    let changed = superuser.patch(&path, patch).header("if-match", "\"1\"").await;
    let body = changed.expect(200);
    assert_eq!((&body["display_name"], &body["locale"]), (&json!("Ada Lovelace"), &json!("de-CH")));
    assert_eq!((changed.header("etag"), &body["deleted_at"]), (Some("\"2\""), &Value::Null));
    assert_eq!(superuser.get(&path).await.expect(200), body);
    assert_eq!(ada.get(ME).await.expect(200)["username"], username, "she is signed in still");
    let cleared = superuser.patch(&path, json!({ "username": null })).await.expect(200);
    assert_eq!((&cleared["username"], &cleared["first_name"]), (&Value::Null, &json!("Ada")));

    for same in
        [json!({}), json!({ "first_name": "Ada", "is_superuser": false, "email": server.email("ada") })]
    {
        assert_eq!(superuser.patch(&path, same).await.expect(200)["version"], 3);
    }
    superuser
        .patch(&path, json!({ "locale": "fr" }))
        .header("if-match", "\"2\"")
        .await
        .problem(412, "PRECONDITION_FAILED");
    let expected = [
        (
            "user.updated".to_owned(),
            json!({
                "before": { "locale": "en", "timezone": "UTC", "week_start": "monday" },
                "after": {
                    "locale": "de-CH", "timezone": "Europe/Zurich", "week_start": "sunday",
                    "renamed": ["first_name", "last_name", "username"],
                },
            }),
        ),
        ("user.updated".to_owned(), json!({ "before": {}, "after": { "renamed": ["username"] } })),
    ];
    assert_eq!(recorded_events(&server.database().await, &path).await, expected);
}

#[tokio::test]
async fn fields_that_superusers_cannot_update_are_refused() {
    let (server, superuser, _, path) = ada().await;
    let (eve, username) = (server.register("eve").await, unique("ada"));
    superuser.patch(&path, json!({ "username": username })).await.expect(200);
    let before = superuser.get(&path).await.outcome();
    for (field, value) in [
        ("is_active", json!(false)),
        ("email_verified_at", json!(null)),
        ("password", json!(PASSWORD)),
        ("default_organization_id", json!(null)),
        ("id", json!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091")),
        ("version", json!(7)),
        ("deleted_at", json!(null)),
    ] {
        let reply = superuser.patch(&path, json!({ "first_name": "x", field: value })).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("{field} UNKNOWN_FIELD")]);
    }
    let wrong = json!({ "email": "nobody", "first_name": " ", "timezone": "Mars/Olympus" });
    let faults = superuser.patch(&path, wrong).await.faults();
    assert_eq!(faults, ["email INVALID_FORMAT", "first_name TOO_SHORT", "timezone UNKNOWN_TIMEZONE"]);
    for field in ["email", "is_superuser", "locale"] {
        let faults = superuser.patch(&path, json!({ field: null })).await.faults();
        assert_eq!(faults, [format!("{field} NULL_NOT_ALLOWED")]);
    }
    superuser.patch(&path, json!({ "email": server.email("EVE") })).await.problem(409, "EMAIL_TAKEN");
    let eve = self::path(&eve).await;
    superuser
        .patch(&eve, json!({ "username": username.to_uppercase() }))
        .await
        .problem(409, "USERNAME_TAKEN");
    assert_eq!(superuser.get(&path).await.outcome(), before);
}

#[tokio::test]
async fn an_unknown_user_is_not_found_with_any_body() {
    let (_server, superuser, _, path) = ada().await;
    superuser.delete(&path).await.expect(204);
    for path in [&path, &format!("{USERS}/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091")] {
        for body in
            ["{}", "{\"first_name\": \"x\"}", "{\"is_superuser\": false}", "{\"is_superuser\": 7}", "{"]
        {
            let patch = superuser.request("PATCH", path).body("application/json", body);
            patch.await.problem(404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_new_address_revokes_the_links_sent_to_the_old_one() {
    let server = Server::shared_with_mail().await;
    let (superuser, inbox) = (server.superuser().await, Inbox::own(&server).await);
    let ada = server.register("ada").await;
    let follow = async |path: &str, body: Value| server.client().post(path, body).await;
    let token = inbox.last("send_verification").await.token;
    ada.post("/api/v1/auth/email/verify", json!({ "token": token })).await.expect(200);
    let path = path(&ada).await;
    // All links to the old address, and pending changes of the address.
    ada.post("/api/v1/users/me/email", json!({ "email": server.email("thief") })).await.expect(202);
    follow("/api/v1/auth/password/forgot", json!({ "email": server.email("ada") })).await.expect(202);
    let confirm = inbox.last("send_email_change").await.token;
    let undo = inbox.last("send_email_change_notice").await.token;
    let reset = inbox.last("send_password_reset").await.token;

    let changed = superuser.patch(&path, json!({ "email": server.email("Countess"), "locale": "fr" })).await;
    let body = changed.expect(200);
    assert_eq!((&body["email"], &body["version"]), (&json!(server.email("Countess")), &json!(3)));
    assert!(body["email_verified_at"].is_string());
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    follow("/api/v1/auth/email/verify", json!({ "token": confirm })).await.problem(410, "LINK_EXPIRED");
    follow("/api/v1/auth/email/undo", json!({ "token": undo })).await.problem(410, "LINK_EXPIRED");
    let new = json!({ "token": reset, "password": "Violet-harbour-92-lamp" });
    follow("/api/v1/auth/password/reset", new).await.problem(410, "LINK_EXPIRED");
    // Her password is unchanged, and no account has the old address.
    assert_eq!(log_in(&server, &server.email("countess")).await, 200);
    assert_eq!(log_in(&server, &server.email("ada")).await, 401);
    let recorded_events = recorded_events(&server.database().await, &path).await;
    let details = json!({ "before": { "locale": "en" }, "after": { "locale": "fr", "renamed": ["email"] } });
    assert_eq!(recorded_events.last().unwrap(), &("user.email_changed".to_owned(), details));
    let spelled_email = server.email("countess").replace("example", "Example");
    let spelled = superuser.patch(&path, json!({ "email": spelled_email })).await.expect(200);
    assert_eq!(spelled["email"], spelled_email);
    assert_eq!(log_in(&server, &server.email("countess")).await, 200);
}

#[tokio::test]
async fn an_unverified_account_loses_its_password_with_its_address() {
    let server = Server::shared_with_mail().await;
    let (superuser, inbox) = (server.superuser().await, Inbox::own(&server).await);
    let eve = server.register("ada").await;
    let path = path(&eve).await;
    // A superuser needs a verified address.
    let promoted = superuser.patch(&path, json!({ "is_superuser": true })).await;
    promoted.problem(422, "VALIDATION_FAILED");
    assert_eq!(promoted.faults(), ["is_superuser EMAIL_UNVERIFIED"]);

    superuser.patch(&path, json!({ "email": server.email("countess") })).await.expect(200);
    eve.get(ME).await.problem(401, "INVALID_TOKEN");
    assert_eq!(log_in(&server, &server.email("countess")).await, 401);
    let forgot = json!({ "email": server.email("countess") });
    server.client().post("/api/v1/auth/password/forgot", forgot).await.expect(202);
    let token = inbox.last("send_password_reset").await.token;
    let new = json!({ "token": token, "password": PASSWORD });
    server.client().post("/api/v1/auth/password/reset", new).await.expect(200);
    assert_eq!(log_in(&server, &server.email("countess")).await, 200);
    superuser.patch(&path, json!({ "is_superuser": true })).await.expect(200);
}

#[tokio::test]
async fn a_reserved_address_is_not_given_to_another_account() {
    let server = Server::shared_with_mail().await;
    let (superuser, inbox) = (server.superuser().await, Inbox::own(&server).await);
    let ada = server.register("ada").await;
    let token = inbox.last("send_verification").await.token;
    ada.post("/api/v1/auth/email/verify", json!({ "token": token })).await.expect(200);
    ada.post("/api/v1/users/me/email", json!({ "email": server.email("new") })).await.expect(202);
    let token = inbox.last("send_email_change").await.token;
    ada.post("/api/v1/auth/email/verify", json!({ "token": token })).await.expect(200);
    // Ada can undo that for a while.
    let eve = json!({ "email": server.email("eve"), "password": PASSWORD });
    let eve = superuser.post(USERS, eve).await.expect(201);
    let eve = format!("{USERS}/{}", eve["id"].as_str().unwrap());
    superuser.patch(&eve, json!({ "email": server.email("ada") })).await.problem(409, "EMAIL_TAKEN");
    let back = superuser.patch(&path(&ada).await, json!({ "email": server.email("ada") })).await;
    assert_eq!(back.expect(200)["email"], server.email("ada"));
}

#[tokio::test]
async fn is_superuser_takes_effect_at_once_with_the_same_token() {
    let (server, superuser, ada, path) = ada().await;
    ada.get(USERS).await.problem(403, "FORBIDDEN");
    let made = superuser.patch(&path, json!({ "is_superuser": true, "first_name": "Ada" })).await;
    assert_eq!(made.expect(200)["is_superuser"], true);
    ada.get(USERS).await.expect(200);
    let unmade = superuser.patch(&path, json!({ "is_superuser": false })).await;
    assert_eq!(
        (unmade.expect(200)["is_superuser"].as_bool(), unmade.header("etag")),
        (Some(false), Some("\"3\""))
    );
    ada.get(USERS).await.problem(403, "FORBIDDEN");
    let recorded_events = recorded_events(&server.database().await, &path).await;
    let expected = [
        (
            "user.promoted".to_owned(),
            json!({
                "before": { "is_superuser": false },
                "after": { "is_superuser": true, "renamed": ["first_name"] },
            }),
        ),
        (
            "user.demoted".to_owned(),
            json!({ "before": { "is_superuser": true }, "after": { "is_superuser": false } }),
        ),
    ];
    assert_eq!(recorded_events, expected);
}

#[tokio::test]
async fn the_last_superuser_keeps_the_flag() {
    let (server, superuser) = Server::with_superuser().await;
    let root = path(&superuser).await;
    let demote = json!({ "is_superuser": false, "first_name": "x" });
    superuser.patch(&root, demote.clone()).await.problem(409, "LAST_SUPERUSER");
    // A stale version is reported first.
    superuser
        .patch(&root, demote.clone())
        .header("if-match", "\"9\"")
        .await
        .problem(412, "PRECONDITION_FAILED");
    assert_eq!(superuser.get(&root).await.expect(200)["first_name"], Value::Null);
    // One who may not log in does not count.
    let (_, second_path) = second(&server, &superuser, "second@example.com").await;
    superuser.request("POST", &format!("{second_path}/deactivate")).await.expect(200);
    superuser.patch(&root, demote.clone()).await.problem(409, "LAST_SUPERUSER");
    superuser.patch(&second_path, demote.clone()).await.expect(200);
    superuser.request("POST", &format!("{second_path}/activate")).await.expect(200);
    superuser.patch(&root, demote.clone()).await.problem(409, "LAST_SUPERUSER");
    superuser.patch(&second_path, json!({ "is_superuser": true })).await.expect(200);
    superuser.patch(&root, demote).await.expect(200);
    superuser.get(USERS).await.problem(403, "FORBIDDEN");
}

/// Two superusers who end each other in every way there is, 64 times at once.
#[tokio::test]
async fn one_of_two_superusers_who_demote_each_other_remains() {
    let start = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60");
    let (server, root) = start.start_with_superuser().await;
    let root_path = path(&root).await;
    let database = server.database().await;
    let deeds = |way: usize, superuser: &Client, other: &str| match way % 4 {
        0 => superuser.patch(other, json!({ "is_superuser": false })),
        1 => superuser.request("POST", &format!("{other}/deactivate")),
        2 => superuser.delete(other),
        _ => {
            let id = other.rsplit('/').next().unwrap();
            superuser.post(&format!("{USERS}/bulk"), json!({ "action": "deactivate", "ids": [id] }))
        }
    };
    // Demotions alone, then each way against the others.
    for (round, ways) in [[0, 0], [0, 1], [2, 0], [3, 0], [0, 3]].into_iter().enumerate() {
        let email = format!("second{round}@example.com");
        let (second, second_path) = second(&server, &root, &email).await;
        let replies = concurrently(64, |number| {
            let deed = match number % 2 {
                0 => deeds(ways[0], &root, &second_path),
                _ => deeds(ways[1], &second, &root_path),
            };
            async move { deed.await }
        });
        let mut tally = BTreeMap::<String, usize>::new();
        for reply in replies.await {
            assert!([200, 204, 207, 401, 403, 404, 409].contains(&reply.status), "{}", reply.text());
            *tally.entry(format!("{} {}", reply.status, reply.json()["error"])).or_default() += 1;
        }
        let left = "SELECT count(*) FROM users WHERE is_superuser AND is_active AND deleted_at IS NULL";
        assert_eq!(database.scalar(left).await, 1, "round {round}: {tally:?}");
        // As it was before, for the next round.
        let back =
            "UPDATE users SET is_active = true, is_superuser = true, deleted_at = NULL, purge_after = NULL
                    WHERE email = 'root@example.com'";
        database.execute(back).await;
        database.execute("UPDATE users SET is_superuser = false WHERE email <> 'root@example.com'").await;
        database.execute("UPDATE sessions SET revoked_at = NULL").await;
    }
}

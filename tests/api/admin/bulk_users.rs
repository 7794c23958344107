//! `POST /admin/users/bulk`: one action on many accounts, also when some are refused.

use insula_tests::{Client, PASSWORD, Reply, Server, concurrently, unique};
use serde_json::{Value, json};

const USERS: &str = "/api/v1/admin/users";
const BULK: &str = "/api/v1/admin/users/bulk";
const ME: &str = "/api/v1/users/me";
const NOBODY: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

async fn id(person: &Client) -> String {
    person.get(ME).await.expect(200)["id"].as_str().unwrap().to_owned()
}

async fn bulk(superuser: &Client, action: &str, ids: &[&str]) -> Reply {
    superuser.post(BULK, json!({ "action": action, "ids": ids })).await
}

/// The number of events of this action about these accounts.
async fn events(server: &Server, action: &str, ids: &[&str]) -> i64 {
    let events = format!(
        "SELECT count(*) FROM audit_events WHERE action = '{action}' AND resource_id IN ('{}')",
        ids.join("', '")
    );
    server.database().await.scalar(&events).await
}

/// Every row as `status CODE`; checked to be about `ids`, in their order.
#[track_caller]
fn outcomes(reply: &Reply, ids: &[&str]) -> Vec<String> {
    let body = reply.expect(207);
    let rows = body["data"].as_array().unwrap();
    let of: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(of, ids);
    let outcome = |row: &Value| {
        assert_eq!(row["error"].is_null(), row["message"].is_null(), "{row}");
        format!("{} {}", row["status"], row["error"].as_str().unwrap_or_default()).trim().to_owned()
    };
    rows.iter().map(outcome).collect()
}

#[tokio::test]
async fn a_refused_account_does_not_stop_the_others() {
    // Its superuser is the last one.
    let (server, superuser) = Server::with_superuser().await;
    let root = id(&superuser).await;
    let (ada, eve) = (
        server.client().register("ada@example.com").await,
        server.client().register("eve@example.com").await,
    );
    let (ada_id, eve_id) = (id(&ada).await, id(&eve).await);
    let slug = eve.create_organization(&unique("acme")).await.slug;
    let ids = [&*root, &*ada_id, NOBODY, &*eve_id];
    let reply = bulk(&superuser, "deactivate", &ids).await;
    assert_eq!(outcomes(&reply, &ids), ["409 LAST_SUPERUSER", "200", "404 NOT_FOUND", "409 LAST_OWNER"]);
    let message = reply.json()["data"][3]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&slug), "{message}");
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    eve.get(ME).await.expect(200);
    superuser.get(ME).await.expect(200);

    let database = server.database().await;
    let events = "SELECT count(*) FROM audit_events WHERE action = 'user.deactivated'";
    assert_eq!(database.scalar(events).await, 1);
    // What is done already leaves no trace.
    assert_eq!(outcomes(&bulk(&superuser, "deactivate", &[&ada_id]).await, &[&ada_id]), ["200"]);
    assert_eq!(database.scalar(events).await, 1);
}

#[tokio::test]
async fn every_bulk_action_equals_its_single_operation() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let mut made = Vec::new();
    for number in 0..3 {
        let person = server.register(&format!("p{number}")).await;
        made.push(id(&person).await);
    }
    let ids: Vec<_> = made.iter().map(String::as_str).collect();
    let shown = async |field: &str| {
        let mut shown = Vec::new();
        for id in &ids {
            shown.push(superuser.get(&format!("{USERS}/{id}")).await.expect(200)[field].clone());
        }
        shown
    };
    for (action, first, again) in [
        ("deactivate", "200", "200"),
        ("activate", "200", "200"),
        ("delete", "204", "404 NOT_FOUND"),
        ("restore", "200", "404 NOT_FOUND"),
    ] {
        assert_eq!(outcomes(&bulk(&superuser, action, &ids).await, &ids), [first; 3], "{action}");
        assert_eq!(outcomes(&bulk(&superuser, action, &ids).await, &ids), [again; 3], "{action} again");
        assert_eq!(shown("is_active").await, vec![json!(action != "deactivate"); 3], "{action}");
        let are_deleted = shown("deleted_at").await.iter().all(Value::is_string);
        assert_eq!(are_deleted, action == "delete", "{action}");
    }
    for action in ["deactivated", "activated", "deleted", "restored"] {
        assert_eq!(events(&server, &format!("user.{action}"), &ids).await, 3, "{action}");
    }
}

#[tokio::test]
async fn a_superuser_who_deactivates_themselves_changes_no_later_account() {
    let (server, superuser) = Server::with_superuser().await;
    let draft = json!({ "email": "second@example.com", "password": PASSWORD, "is_superuser": true });
    let second = superuser.post(USERS, draft).await.expect(201);
    let second = second["id"].as_str().unwrap();
    let (ada, eve) = (
        id(&server.client().register("ada@example.com").await).await,
        id(&server.client().register("eve@example.com").await).await,
    );
    let root = id(&superuser).await;
    let ids = [&*ada, &*root, &*eve];
    let reply = bulk(&superuser, "deactivate", &ids).await;
    assert_eq!(outcomes(&reply, &ids), ["200", "200", "401 INVALID_TOKEN"]);
    let second_client = server.client().log_in("second@example.com", PASSWORD).await;
    assert_eq!(second_client.get(&format!("{USERS}/{eve}")).await.expect(200)["is_active"], true);
    assert_eq!(outcomes(&bulk(&second_client, "activate", &[&root]).await, &[&root]), ["200"]);
    // The last one is kept in a bulk, too.
    let ids = [&*root, second];
    assert_eq!(outcomes(&bulk(&second_client, "delete", &ids).await, &ids), ["204", "409 LAST_SUPERUSER"]);
}

#[tokio::test]
async fn a_bulk_request_has_1_to_100_different_accounts() {
    let superuser = Server::shared().await.superuser().await;
    let many: Vec<_> = (0..101).map(|number| format!("0190b3a0-7c1e-7d2a-9f00-{number:012}")).collect();
    for (body, fault) in [
        (json!({ "action": "delete", "ids": [] }), "ids TOO_SHORT"),
        (json!({ "action": "delete", "ids": many }), "ids TOO_LONG"),
        (json!({ "action": "delete", "ids": [NOBODY, many[0], NOBODY] }), "ids[2] NOT_UNIQUE"),
        (json!({ "action": "delete", "ids": [NOBODY, NOBODY.to_uppercase()] }), "ids[1] NOT_UNIQUE"),
        (json!({ "action": "delete", "ids": ["nobody"] }), "ids[0] INVALID_FORMAT"),
        (json!({ "action": "purge", "ids": [NOBODY] }), "action NOT_A_CHOICE"),
        (json!({ "ids": [NOBODY] }), "action REQUIRED"),
        (json!({ "action": "delete", "ids": [NOBODY], "force": true }), "force UNKNOWN_FIELD"),
    ] {
        let reply = superuser.post(BULK, body).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [fault]);
    }
    let ids: Vec<_> = many[..100].iter().map(String::as_str).collect();
    assert_eq!(outcomes(&bulk(&superuser, "delete", &ids).await, &ids), ["404 NOT_FOUND"; 100]);
}

/// Each row has its own transaction: two who do the same at once do each thing once.
#[tokio::test]
async fn concurrent_bulk_requests_change_each_account_once() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(id(&server.register(&format!("p{number}")).await).await);
    }
    let replies = concurrently(16, |number| {
        let mut ids = ids.clone();
        if number % 2 == 1 {
            ids.reverse();
        }
        let deed = superuser.post(BULK, json!({ "action": "deactivate", "ids": ids }));
        async move { deed.await }
    });
    for reply in replies.await {
        let rows = reply.expect(207);
        assert!(rows["data"].as_array().unwrap().iter().all(|row| row["status"] == 200), "{rows}");
    }
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(events(&server, "user.deactivated", &ids).await, 4);
}

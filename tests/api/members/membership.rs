//! Members: list, suspend, update roles, remove.

use insula_tests::{Client, DemoFixture, concurrently};
use serde_json::{Value, json};

const MEMBERS: &str = "/api/v1/organizations/demo/members";

/// The member who is called so.
pub(crate) async fn member(caller: &Client, name: &str) -> Value {
    let found = caller.get(&format!("{MEMBERS}?q={name}%40demo")).await.expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
    found["data"][0].clone()
}

/// The path of the member who is called so.
pub(crate) async fn path(caller: &Client, name: &str) -> String {
    format!("{MEMBERS}/{}", member(caller, name).await["id"].as_str().unwrap())
}

fn keys(member: &Value) -> Vec<&str> {
    member["roles"].as_array().unwrap().iter().map(|role| role["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn members_are_listed_by_pages_and_filters() {
    let demo = DemoFixture::start().await;
    let victor = demo.user("victor").await;
    let all = victor.get(MEMBERS).await.expect(200);
    let names: Vec<_> =
        all["data"].as_array().unwrap().iter().map(|member| member["user"]["email"].clone()).collect();
    assert_eq!(names, ["olivia", "adam", "mia", "victor"].map(|name| json!(format!("{name}@demo.example"))));
    let olivia = &all["data"][0];
    assert_eq!((keys(olivia), &olivia["status"]), (vec!["owner"], &json!("active")));
    assert!(olivia["user"]["display_name"].as_str().is_some_and(|name| name.starts_with("Olivia")));
    assert!(olivia["user"].get("is_superuser").is_none(), "members see no flags of the account");

    let first = victor.get(&format!("{MEMBERS}?limit=3&sort=-joined_at")).await.expect(200);
    assert_eq!(first["data"][0]["user"]["email"], "victor@demo.example");
    let next = first["next_cursor"].as_str().unwrap();
    let second = victor.get(&format!("{MEMBERS}?limit=3&sort=-joined_at&cursor={next}")).await.expect(200);
    assert_eq!((&second["data"][0], &second["has_more"]), (olivia, &json!(false)));

    let ids = async |query: &str| -> Vec<Value> {
        let page = victor.get(&format!("{MEMBERS}?{query}")).await.expect(200);
        page["data"].as_array().unwrap().iter().map(|member| member["user"]["email"].clone()).collect()
    };
    assert_eq!(ids("role=admin").await, ["adam@demo.example"]);
    assert_eq!(ids("role=nonsense").await, Vec::<Value>::new());
    assert_eq!(
        ids(&format!("role={}", olivia["roles"][0]["id"].as_str().unwrap())).await,
        ["olivia@demo.example"]
    );
    assert_eq!(ids("q=MIA").await, ["mia@demo.example"]);
    // Neither of these is a wild card.
    assert_eq!((ids("q=%25").await, ids("q=m_a").await), (vec![], vec![]));
    assert_eq!(ids("status=suspended").await, Vec::<Value>::new());
    victor.get(&format!("{MEMBERS}?status=gone")).await.problem(422, "VALIDATION_FAILED");
    victor.get(&format!("{MEMBERS}?cursor={next}")).await.problem(422, "INVALID_CURSOR");
}

#[tokio::test]
async fn a_member_has_the_versions_of_the_membership_and_the_user() {
    let demo = DemoFixture::start().await;
    let (adam, mia) = (demo.user("adam").await, demo.user("mia").await);
    let path = path(&adam, "mia").await;
    let seen = adam.get(&path).await;
    seen.expect(200);
    let tag = seen.header("etag").unwrap().to_owned();
    adam.get(&path).header("if-none-match", &tag).await.expect(304);
    mia.patch("/api/v1/users/me", json!({ "first_name": "Maria" })).await.expect(200);
    let seen = adam.get(&path).header("if-none-match", &tag).await;
    assert!(seen.expect(200)["user"]["display_name"].as_str().unwrap().starts_with("Maria"));
    let patch = json!({ "roles": ["viewer"] });
    adam.patch(&path, patch.clone()).header("if-match", &tag).await.problem(412, "PRECONDITION_FAILED");
    let changed = adam.patch(&path, patch).header("if-match", seen.header("etag").unwrap()).await;
    assert_eq!(keys(&changed.expect(200)), ["viewer"]);
    assert_ne!(changed.header("etag"), seen.header("etag"));
}

/// RB8: with the same token, at the next request.
#[tokio::test]
async fn new_roles_take_effect_at_once() {
    let demo = DemoFixture::start().await;
    let (adam, victor) = (demo.user("adam").await, demo.user("victor").await);
    let projects = "/api/v1/organizations/demo/projects";
    let draft = json!({ "code": "NEW", "name": "New" });
    victor.post(projects, draft.clone()).await.problem(403, "FORBIDDEN");
    let path = path(&adam, "victor").await;
    let changed = adam.patch(&path, json!({ "roles": ["member", "admin", "member"] })).await.expect(200);
    assert_eq!(keys(&changed).len(), 2, "a role is held once");
    victor.post(projects, draft).await.expect(201);
    adam.patch(&path, json!({ "roles": [] })).await.expect(200);
    let problem = victor.get(projects).await.problem(403, "FORBIDDEN");
    assert_eq!(problem["roles_held"], json!([]));

    let same = adam.patch(&path, json!({ "roles": [] })).await;
    assert_eq!(same.expect(200)["roles"], json!([]));
    let events = "SELECT count(*) FROM audit_events WHERE action = 'member.updated'";
    assert_eq!(demo.server.database().await.scalar(events).await, 2, "what changes nothing leaves no trace");
    let problem = adam.patch(&path, json!({ "roles": ["viewer", "nonsense", "x"] })).await;
    let fields: Vec<_> = problem.problem(422, "VALIDATION_FAILED")["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].clone())
        .collect();
    assert_eq!(fields, ["roles[1]", "roles[2]"]);
}

#[tokio::test]
async fn a_suspended_member_has_no_access_until_reactivated() {
    let demo = DemoFixture::start().await;
    let (adam, mia) = (demo.user("adam").await, demo.user("mia").await);
    let org = "/api/v1/organizations/demo";
    mia.get(org).await.expect(200);
    let path = path(&adam, "mia").await;
    let suspended = adam.patch(&path, json!({ "status": "suspended" })).await.expect(200);
    assert_eq!((&suspended["status"], keys(&suspended)), (&json!("suspended"), vec!["member"]));
    mia.get(org).await.problem(404, "NOT_FOUND");
    let explained = adam.post(
        &format!("{org}/authz/explain"),
        json!({ "permission": "tasks:create", "member_id": suspended["id"] }),
    );
    let explained = explained.await.expect(200);
    assert_eq!((&explained["allowed"], &explained["reason"]), (&json!(false), &json!("membership_inactive")));
    adam.patch(&path, json!({ "status": "active" })).await.expect(200);
    mia.get(org).await.expect(200);
    let problem = adam.patch(&path, json!({ "status": "removed" })).await;
    problem.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_removed_member_has_no_access_and_their_work_stays() {
    let demo = DemoFixture::start().await;
    let (adam, mia, victor) = (demo.user("adam").await, demo.user("mia").await, demo.user("victor").await);
    let path = path(&adam, "mia").await;
    mia.get("/api/v1/organizations/demo").await.expect(200);
    victor.delete(&path).await.problem(403, "FORBIDDEN");
    adam.delete(&path).header("if-match", "\"9.9\"").await.problem(412, "PRECONDITION_FAILED");
    adam.delete(&path).await.expect(204);
    mia.get("/api/v1/organizations/demo").await.problem(404, "NOT_FOUND");
    adam.delete(&path).await.problem(404, "NOT_FOUND");
    adam.patch(&path, json!({ "roles": ["member"] })).await.problem(404, "NOT_FOUND");
    let listed = adam.get(MEMBERS).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    let removed = adam.get(&format!("{MEMBERS}?status=removed")).await.expect(200)["data"][0].clone();
    assert_eq!((&removed["status"], &removed["roles"]), (&json!("removed"), &json!([])));
    assert!(removed["removed_at"].is_string());
    assert_eq!(adam.get(&path).await.expect(200), removed);
    let mine = mia.get("/api/v1/users/me/organizations").await.expect(200);
    assert!(mine["data"].as_array().unwrap().iter().all(|place| place["organization"]["slug"] != "demo"));
}

#[tokio::test]
async fn a_dry_run_shows_the_effect_without_the_change() {
    let demo = DemoFixture::start().await;
    let adam = demo.user("adam").await;
    let path = path(&adam, "mia").await;
    let before = adam.get(&path).await.expect(200);
    let preview =
        adam.patch(&format!("{path}?dry_run=true"), json!({ "roles": ["viewer"] })).await.expect(200);
    let effect = &preview["effects"][0];
    assert_eq!((&effect["member_id"], &effect["gains"]), (&before["id"], &json!([])));
    assert!(effect["loses"].as_array().unwrap().contains(&json!("tasks:create")), "{preview}");
    let preview =
        adam.patch(&format!("{path}?dry_run=true"), json!({ "status": "suspended" })).await.expect(200);
    assert_eq!(preview["effects"][0]["loses"].as_array().unwrap().len(), 14);
    assert_eq!(adam.get(&path).await.expect(200), before);
    // Refused as the change itself would be.
    adam.patch(&format!("{path}?dry_run=true"), json!({ "roles": ["owner"] }))
        .await
        .problem(403, "OWNER_PROTECTED");
    let events = "SELECT count(*) FROM audit_events WHERE action = 'member.updated'";
    assert_eq!(demo.server.database().await.scalar(events).await, 0);
}

#[tokio::test]
async fn an_organization_keeps_an_owner() {
    let demo = DemoFixture::start().await;
    let (olivia, adam) = (demo.user("olivia").await, demo.user("adam").await);
    let own = path(&olivia, "olivia").await;
    olivia.patch(&own, json!({ "roles": ["admin"] })).await.problem(409, "LAST_OWNER");
    olivia.patch(&own, json!({ "status": "suspended" })).await.problem(409, "LAST_OWNER");
    olivia.delete(&own).await.problem(409, "LAST_OWNER");
    for attempt in [json!({ "roles": ["member"] }), json!({ "status": "suspended" })] {
        adam.patch(&own, attempt).await.problem(403, "OWNER_PROTECTED");
    }
    adam.delete(&own).await.problem(403, "OWNER_PROTECTED");
    let adams = path(&olivia, "adam").await;
    adam.patch(&adams, json!({ "roles": ["owner"] })).await.problem(403, "OWNER_PROTECTED");
    olivia.patch(&adams, json!({ "roles": ["owner"] })).await.expect(200);
    adam.patch(&own, json!({ "roles": ["admin"] })).await.expect(200);
    olivia.patch(&adams, json!({ "roles": ["admin"] })).await.problem(403, "OWNER_PROTECTED");
}

/// OR8: at no time is there none.
#[tokio::test]
async fn two_owners_who_demote_each_other_leave_one() {
    let demo = DemoFixture::start().await;
    let (olivia, adam) = (demo.user("olivia").await, demo.user("adam").await);
    let (path_of_olivia, path_of_adam) = (path(&olivia, "olivia").await, path(&olivia, "adam").await);
    let database = demo.server.database().await;
    let owners = "SELECT count(*) FROM member_roles h JOIN roles r ON r.id = h.role_id
                  JOIN organizations o ON o.id = h.organization_id WHERE r.key = 'owner' AND o.slug = 'demo'";
    for _ in 0..32 {
        // The remaining owner makes the other one an owner again.
        let is_left = olivia.get(&path_of_olivia).await.expect(200)["roles"][0]["key"] == "owner";
        let (owner, other) = if is_left { (&olivia, &path_of_adam) } else { (&adam, &path_of_olivia) };
        owner.patch(other, json!({ "roles": ["owner"] })).await.expect(200);
        assert_eq!(database.scalar(owners).await, 2);
        let replies = concurrently(2, |number| {
            let (caller, path) =
                if number == 0 { (&olivia, &path_of_adam) } else { (&adam, &path_of_olivia) };
            let request = caller.patch(path, json!({ "roles": ["admin"] }));
            async move { request.await }
        });
        let mut statuses: Vec<_> = replies.await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(database.scalar(owners).await, 1, "{statuses:?}");
        assert!(statuses[0] == 200 && [403, 409].contains(&statuses[1]), "{statuses:?}");
    }
}

#[tokio::test]
async fn changes_of_owners_need_a_recent_login() {
    let demo = DemoFixture::start().await;
    let olivia = demo.user("olivia").await;
    let adams = path(&olivia, "adam").await;
    let database = demo.server.database().await;
    database.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    olivia.patch(&adams, json!({ "roles": ["owner"] })).await.problem(403, "REAUTH_REQUIRED");
    olivia.patch(&adams, json!({ "roles": ["member"] })).await.expect(200);
}

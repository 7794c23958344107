//! Estimates, archived projects and private projects.

use insula_tests::{Client, OrgFixture};
use serde_json::{Value, json};

fn draft(code: &str, is_private: bool) -> Value {
    json!({ "code": code, "name": code, "is_private": is_private })
}

/// The codes in the list of a member.
async fn codes(org: &OrgFixture, who: &Client, query: &str) -> Vec<String> {
    let page = who.get(&org.path(&format!("/projects?sort=code&{query}"))).await.expect(200);
    let codes = page["data"].as_array().unwrap().iter().map(|project| project["code"].as_str().unwrap());
    codes.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_project_says_how_long_it_may_take_and_who_sees_it() {
    let org = OrgFixture::start().await;
    let (path, made) = org.create("/projects", json!({ "code": "A", "name": "A" })).await;
    assert_eq!(
        (&made["is_private"], &made["archived_at"], &made["estimate_seconds"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    for estimate in [json!(1), json!(360_000_000), Value::Null] {
        let changed = org.owner.patch(&path, json!({ "estimate_seconds": estimate })).await.expect(200);
        assert_eq!(changed["estimate_seconds"], estimate);
        assert_eq!(org.owner.get(&path).await.expect(200), changed);
    }
    let (_, made) = org
        .create(
            "/projects",
            json!({ "code": "B", "name": "B", "is_private": true, "estimate_seconds": 3600 }),
        )
        .await;
    assert_eq!((&made["is_private"], &made["estimate_seconds"]), (&json!(true), &json!(3600)));

    for (field, value, code) in [
        ("estimate_seconds", json!(0), "TOO_SMALL"),
        ("estimate_seconds", json!(-1), "TOO_SMALL"),
        ("estimate_seconds", json!(360_000_001), "TOO_LARGE"),
        ("estimate_seconds", json!(1.5), "WRONG_TYPE"),
        ("estimate_seconds", json!("1"), "WRONG_TYPE"),
        ("is_private", Value::Null, "NULL_NOT_ALLOWED"),
        ("is_private", json!("true"), "WRONG_TYPE"),
        ("archived_at", json!("2026-01-31T09:30:00Z"), "UNKNOWN_FIELD"),
    ] {
        let mut whole = json!({ "code": "C", "name": "C" });
        whole[field] = value.clone();
        for reply in [
            org.owner.post(&org.path("/projects"), whole).await,
            org.owner.patch(&path, json!({ field: value })).await,
        ] {
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), [format!("{field} {code}")]);
        }
    }
    let recorded = org.events("project.updated").await;
    assert_eq!(
        recorded[0],
        json!({ "before": { "estimate_seconds": null }, "after": { "estimate_seconds": 1 } })
    );
}

#[tokio::test]
async fn an_archived_project_stays_and_can_be_filtered() {
    let org = OrgFixture::start().await;
    let (path, _) = org.create("/projects", draft("OLD", false)).await;
    org.create("/projects", draft("NEW", false)).await;
    let ask = |who: &Client, what: &str| who.request("POST", &format!("{path}/{what}"));
    for stranger in [&org.mia, &org.viewer] {
        for what in ["archive", "unarchive"] {
            let problem = ask(stranger, what).await.problem(403, "FORBIDDEN");
            assert_eq!(problem["permission"], "projects:update");
        }
    }
    ask(&org.owner, "archive").header("if-match", "\"7\"").await.problem(412, "PRECONDITION_FAILED");
    let archived = ask(&org.owner, "archive").header("if-match", "\"1\"").await;
    let body = archived.expect(200);
    assert_eq!((archived.header("etag"), body["archived_at"].is_string()), (Some("\"2\""), true));
    // Again: nothing happens.
    assert_eq!(ask(&org.admin, "archive").await.expect(200), body);
    for who in [&org.owner, &org.viewer] {
        assert_eq!(codes(&org, who, "archived=true").await, ["OLD"]);
        assert_eq!(codes(&org, who, "archived=false").await, ["NEW"]);
        assert_eq!(codes(&org, who, "").await, ["NEW", "OLD"]);
    }
    org.owner.get(&org.path("/projects?archived=maybe")).await.problem(422, "VALIDATION_FAILED");
    // It can be changed still.
    org.owner.patch(&path, json!({ "name": "Older" })).await.expect(200);

    let back = ask(&org.owner, "unarchive").await.expect(200);
    assert_eq!((&back["archived_at"], &back["version"]), (&Value::Null, &json!(4)));
    assert_eq!(ask(&org.owner, "unarchive").await.expect(200), back);
    let recorded = org.events("project.archived").await;
    assert_eq!(
        recorded,
        [json!({ "before": { "archived_at": null }, "after": { "archived_at": body["archived_at"] } })]
    );
    assert_eq!(org.events("project.unarchived").await.len(), 1);
}

#[tokio::test]
async fn a_private_project_is_not_there_for_others() {
    let org = OrgFixture::start().await;
    let (path, body) = org.create("/projects", draft("SECRET", true)).await;
    let members = format!("{path}/members");
    let nothing = org.path("/projects/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091");
    for who in [&org.mia, &org.viewer] {
        assert_eq!(who.get(&path).await.outcome(), who.get(&nothing).await.outcome());
        who.get(&members).await.problem(404, "NOT_FOUND");
        assert_eq!(codes(&org, who, "").await, [""; 0]);
        assert_eq!(codes(&org, who, "code=secret").await, [""; 0]);
    }
    for who in [&org.owner, &org.admin] {
        assert_eq!(who.get(&path).await.expect(200), body);
        assert_eq!(codes(&org, who, "").await, ["SECRET"]);
    }

    let mia = org.member(&org.mia).await;
    org.owner.put(&members, json!({ "members": [mia] })).await.expect(200);
    org.mia.get(&path).await.expect(200);
    assert_eq!(org.mia.get(&members).await.expect(200)["members"], json!([mia]));
    assert_eq!(codes(&org, &org.mia, "").await, ["SECRET"]);
    org.max.get(&path).await.problem(404, "NOT_FOUND");
    org.owner.put(&members, json!({ "members": [] })).await.expect(200);
    org.mia.get(&path).await.problem(404, "NOT_FOUND");

    org.owner.patch(&path, json!({ "is_private": false })).await.expect(200);
    org.viewer.get(&path).await.expect(200);
    org.owner.patch(&path, json!({ "is_private": true })).await.expect(200);
    org.viewer.get(&path).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_not_seen_is_not_deleted_either() {
    let org = OrgFixture::start().await;
    let (path, _) = org.create("/projects", draft("SECRET", true)).await;
    let (open, _) = org.create("/projects", draft("OPEN", false)).await;
    let restore = |path: &str| format!("{path}/restore");
    let keeper = org.join_with_permissions("keeper", &["projects:read", "projects:delete"]).await;
    keeper.delete(&open).await.expect(204);
    keeper.request("POST", &restore(&open)).await.expect(200);
    keeper.delete(&path).await.problem(404, "NOT_FOUND");
    org.owner.delete(&path).await.expect(204);
    keeper.request("POST", &restore(&path)).await.problem(404, "NOT_FOUND");
    org.owner.request("POST", &restore(&path)).await.expect(200);

    let members = json!({ "members": [org.member(&keeper).await] });
    org.owner.put(&format!("{path}/members"), members).await.expect(200);
    keeper.delete(&path).await.expect(204);
    keeper.request("POST", &restore(&path)).await.expect(200);
}

#[tokio::test]
async fn the_creator_of_a_private_project_sees_it() {
    let org = OrgFixture::start().await;
    let maker = org.join_with_permissions("maker", &["projects:read", "projects:create"]).await;
    let (path, body) =
        org.created("/projects", &maker.post(&org.path("/projects"), draft("MINE", true)).await);
    assert_eq!(maker.get(&path).await.expect(200), body);
    let members = |who: &Client| who.get(&format!("{path}/members"));
    assert_eq!(members(&maker).await.expect(200)["members"], json!([org.member(&maker).await]));
    // Those who see all of them need not belong to it.
    let (path, _) = org.create("/projects", draft("HERS", true)).await;
    let hers = org.owner.get(&format!("{path}/members")).await.expect(200);
    assert_eq!(hers["members"], json!([]));
}

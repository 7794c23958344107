//! `/organizations/{organization_id}/tags`: create, list, rename, and delete unused ones.

use insula_tests::{Client, OrgFixture, Reply, unique};
use serde_json::{Value, json};

async fn tag(org: &OrgFixture, name: &str) -> (String, Value) {
    org.create("/tags", json!({ "name": name })).await
}

async fn names(who: &Client, path: &str) -> Vec<String> {
    let page = who.get(path).await.expect(200);
    let names = page["data"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn a_tag_has_a_name_of_its_own() {
    let org = OrgFixture::start().await;
    let made = org.mia.post(&org.path("/tags"), json!({ "name": " Zoe\u{308} " })).await;
    let body = made.expect(201);
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["created_at", "id", "name", "organization_id", "updated_at", "version"]);
    assert_eq!((&body["name"], made.header("etag")), (&json!("Zoë"), Some("\"1\"")));
    let (organization_id, id) = (body["organization_id"].as_str().unwrap(), body["id"].as_str().unwrap());
    assert_eq!(
        made.header("location").unwrap(),
        format!("/api/v1/organizations/{organization_id}/tags/{id}")
    );

    let other = tag(&org, "other").await.0;
    for same in ["Zoë", "ZOË", "ｚoë"] {
        for reply in [
            org.owner.post(&org.path("/tags"), json!({ "name": same })).await,
            org.owner.patch(&other, json!({ "name": same })).await,
        ] {
            reply.problem(409, "TAG_NAME_TAKEN");
        }
    }
    let elsewhere =
        format!("/api/v1/organizations/{}/tags", org.owner.create_organization(&unique("second")).await.slug);
    org.owner.post(&elsewhere, json!({ "name": "Zoë" })).await.expect(201);
    assert_eq!(names(&org.owner, &elsewhere).await, ["Zoë"]);

    let again = |key: &str| {
        org.mia.post(&org.path("/tags"), json!({ "name": "once" })).header("idempotency-key", key)
    };
    assert_eq!(again("key-1").await.expect(201), again("key-1").await.expect(201));
    again("key-2").await.problem(409, "TAG_NAME_TAKEN");
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let org = OrgFixture::start().await;
    let (path, before) = tag(&org, "urgent").await;
    let long = "a".repeat(51);
    for (name, code) in [
        (json!(""), "TOO_SHORT"),
        (json!("  "), "TOO_SHORT"),
        (json!(long), "TOO_LONG"),
        (json!("a\nb"), "INVALID_FORMAT"),
        (json!("a\u{7f}"), "INVALID_FORMAT"),
        (json!(7), "WRONG_TYPE"),
        (Value::Null, "NULL_NOT_ALLOWED"),
    ] {
        let body = json!({ "name": name });
        for reply in [
            org.owner.post(&org.path("/tags"), body.clone()).await,
            org.owner.patch(&path, body.clone()).await,
        ] {
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), [format!("name {code}")]);
        }
    }
    org.owner.post(&org.path("/tags"), json!({})).await.problem(422, "VALIDATION_FAILED");
    let page = org.owner.get(&org.path("/tags")).await.expect(200);
    assert_eq!(page["data"], json!([before]));
    tag(&org, &"ä".repeat(50)).await;
}

#[tokio::test]
async fn tags_are_listed_by_name_or_age() {
    let org = OrgFixture::start().await;
    for name in ["b", "A", "c_d", "cad", "Ärger"] {
        tag(&org, name).await;
    }
    for (query, expected) in [
        ("", vec!["A", "b", "c_d", "cad", "Ärger"]),
        ("?sort=-name", vec!["Ärger", "cad", "c_d", "b", "A"]),
        ("?sort=created_at", vec!["b", "A", "c_d", "cad", "Ärger"]),
        ("?sort=-created_at", vec!["Ärger", "cad", "c_d", "A", "b"]),
        ("?q=A", vec!["A", "cad", "Ärger"]),
        ("?q=_", vec!["c_d"]),
        ("?q=%C3%A4R", vec!["Ärger"]),
        ("?q=arg", vec!["Ärger"]),
        ("?q=none", vec![]),
    ] {
        assert_eq!(names(&org.viewer, &org.path(&format!("/tags{query}"))).await, expected, "{query}");
    }
    let (mut walked, mut at) = (Vec::new(), org.path("/tags?limit=2"));
    loop {
        let page = org.viewer.get(&at).await.expect(200);
        walked.extend(names(&org.viewer, &at).await);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        at = org.path(&format!("/tags?limit=2&cursor={cursor}"));
    }
    assert_eq!(walked, ["A", "b", "c_d", "cad", "Ärger"]);
    for bad in ["?sort=version", "?color=x", "?q=%20"] {
        org.viewer.get(&org.path(&format!("/tags{bad}"))).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn a_tag_is_renamed_and_stays_where_it_is() {
    let org = OrgFixture::start().await;
    let (path, made) = tag(&org, "urgent").await;
    let (task, before) = org.create("/tasks", json!({ "title": "Oil it", "tags": [made["id"]] })).await;
    org.mia
        .patch(&path, json!({ "name": "dear" }))
        .header("if-match", "\"9\"")
        .await
        .problem(412, "PRECONDITION_FAILED");
    for same in [json!({}), json!({ "name": "urgent" }), json!({ "name": " urgent " })] {
        assert_eq!(org.mia.patch(&path, same).await.expect(200), made);
    }
    let renamed = org.mia.patch(&path, json!({ "name": "URGENT" })).header("if-match", "\"1\"").await;
    let body = renamed.expect(200);
    assert_eq!(
        (&body["name"], &body["version"], renamed.header("etag")),
        (&json!("URGENT"), &json!(2), Some("\"2\""))
    );
    assert_eq!(org.owner.get(&task).await.expect(200), before);
    assert_eq!(
        org.events("tag.updated").await,
        [json!({ "before": { "name": "urgent" }, "after": { "name": "URGENT" } })]
    );
    let nothing = org.path("/tags/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091");
    org.mia.patch(&nothing, json!({ "name": "x" })).await.problem(404, "NOT_FOUND");
    org.mia.patch(&nothing, json!({ "name": 7 })).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_tag_that_something_has_stays() {
    let org = OrgFixture::start().await;
    let (path, made) = tag(&org, "urgent").await;
    let (task, _) = org.create("/tasks", json!({ "title": "Oil it", "tags": [made["id"]] })).await;
    org.mia.delete(&path).await.problem(409, "TAG_IN_USE");
    org.mia.delete(&path).header("if-match", "\"2\"").await.problem(412, "PRECONDITION_FAILED");
    // What is deleted holds it no more, and comes back without it.
    org.owner.delete(&task).await.expect(204);
    org.mia.delete(&path).header("if-match", "\"1\"").await.expect(204);
    org.mia.delete(&path).await.problem(404, "NOT_FOUND");
    let restored = org.owner.request("POST", &format!("{task}/restore")).await.expect(200);
    assert_eq!(restored["tags"], json!([]));
    assert_eq!(org.events("tag.deleted").await, [json!({ "before": { "name": "urgent" } })]);
    let gone = org.owner.post(&org.path("/tasks"), json!({ "title": "x", "tags": [made["id"]] })).await;
    gone.problem(422, "VALIDATION_FAILED");
    assert_eq!(gone.faults(), ["tags[0] UNKNOWN_TAG"]);
    // Its name is free.
    tag(&org, "urgent").await;
}

#[tokio::test]
async fn tags_are_given_by_those_who_may_do_so_with_tasks() {
    let org = OrgFixture::start().await;
    let (path, _) = tag(&org, "urgent").await;
    let viewer = &org.viewer;
    let denied = |reply: Reply, permission: &str| {
        assert_eq!(reply.problem(403, "FORBIDDEN")["permission"], permission);
    };
    denied(viewer.post(&org.path("/tags"), json!({ "name": 7 })).await, "tasks:create");
    denied(viewer.patch(&path, json!({ "name": 7 })).await, "tasks:update");
    denied(viewer.delete(&path).await, "tasks:delete");
    let blind = org.join_with_permissions("blind", &["tasks:create"]).await;
    denied(blind.get(&org.path("/tags")).await, "tasks:read");
    blind.post(&org.path("/tags"), json!({ "name": "dark" })).await.expect(201);
}

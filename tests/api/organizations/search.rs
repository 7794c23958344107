//! `O/search`: what has a name, in one request.

use insula_tests::{Client, OrgFixture, id};
use serde_json::{Value, json};

const KINDS: [&str; 5] = ["members", "projects", "tasks", "tags", "roles"];

async fn search(org: &OrgFixture, who: &Client, q: &str) -> Value {
    who.get(&org.path(&format!("/search?q={q}"))).await.expect(200)
}

/// How many results there are of each kind.
fn numbers(results: &Value) -> [usize; 5] {
    KINDS.map(|kind| results[kind].as_array().unwrap().len())
}

/// An organization with something of each kind that is named "Émile".
async fn emile() -> OrgFixture {
    let org = OrgFixture::start().await;
    org.mia
        .patch("/api/v1/users/me", json!({ "first_name": "Émile" }))
        .header("if-match", "*")
        .await
        .expect(200);
    org.create("/projects", json!({ "code": "EMILE", "name": "Mill", "is_private": true })).await;
    org.create("/tasks", json!({ "title": "Ask Émile" })).await;
    org.create("/tags", json!({ "name": "émile" })).await;
    org.create("/roles", json!({ "name": "Emile's crew", "description": "", "permissions": [] })).await;
    org
}

#[tokio::test]
async fn one_search_finds_what_has_the_name() {
    let org = emile().await;
    let found = search(&org, &org.owner, "EMILE").await;
    assert_eq!(numbers(&found), [1; 5], "{found}");
    let member = org.member(&org.mia).await;
    let expected = json!({ "id": member, "email": org.email("mia"), "display_name": "Émile" });
    assert_eq!(found["members"][0], expected);
    assert_eq!(
        (&found["projects"][0]["code"], &found["projects"][0]["is_archived"]),
        (&json!("EMILE"), &json!(false))
    );
    assert_eq!(
        (&found["tasks"][0]["title"], &found["tasks"][0]["status"]),
        (&json!("Ask Émile"), &json!("todo"))
    );
    assert_eq!(
        (&found["tags"][0]["name"], &found["roles"][0]["name"]),
        (&json!("émile"), &json!("Emile's crew"))
    );
    // Each list finds the same.
    for kind in KINDS {
        let page = org.owner.get(&org.path(&format!("/{kind}?q=emile"))).await.expect(200);
        assert_eq!(
            page["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(),
            [id(&found[kind][0])]
        );
    }
    assert_eq!(numbers(&search(&org, &org.owner, "nobody").await), [0; 5]);
    assert_eq!(numbers(&search(&org, &org.owner, "%25").await), [0; 5], "no wildcards");
}

#[tokio::test]
async fn a_search_finds_only_what_the_caller_can_list() {
    let org = emile().await;
    // The project is private.
    assert_eq!(numbers(&search(&org, &org.viewer, "emile").await), [1, 0, 1, 1, 1]);
    let clerk = org.join_with_permissions("clerk", &["tasks:read"]).await;
    assert_eq!(numbers(&search(&org, &clerk, "emile").await), [0, 0, 1, 1, 0]);
    let other = OrgFixture::start().await;
    assert_eq!(numbers(&search(&other, &other.owner, "emile").await), [0; 5]);
    let stranger = org.stranger("eve").await;
    stranger.get(&org.path("/search?q=emile")).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn at_most_five_of_each_kind_are_found() {
    let org = OrgFixture::start().await;
    for number in 0..7 {
        org.create("/tags", json!({ "name": format!("five {number}") })).await;
        org.create("/tasks", json!({ "title": format!("five {number}") })).await;
    }
    let found = search(&org, &org.owner, "five").await;
    assert_eq!(numbers(&found), [0, 0, 5, 5, 0]);
    let names = |kind: &str, field: &str| -> Vec<String> {
        found[kind].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("tags", "name"), ["five 0", "five 1", "five 2", "five 3", "five 4"]);
    assert_eq!(names("tasks", "title"), ["five 6", "five 5", "five 4", "five 3", "five 2"]);
}

#[tokio::test]
async fn the_text_has_1_to_100_characters() {
    let org = OrgFixture::start().await;
    for (query, fault) in [
        ("", "q REQUIRED"),
        ("?q=", "q TOO_SHORT"),
        ("?q=%20", "q TOO_SHORT"),
        ("?q=a%00", "q INVALID_FORMAT"),
        ("?q=a&q=b", "q NOT_UNIQUE"),
        (&format!("?q={}", "a".repeat(101)), "q TOO_LONG"),
    ] {
        let reply = org.owner.get(&org.path(&format!("/search{query}"))).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [fault], "{query}");
    }
}

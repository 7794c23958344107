//! `/organizations/{org}/projects/{project}/members`: replaced as a whole.

use insula_tests::{Client, OrgFixture, unique};
use serde_json::{Value, json};

const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

/// A project, by its path, and that of its members.
async fn project(org: &OrgFixture) -> (String, String) {
    let (path, _) = org.create("/projects", json!({ "code": "ENGINE", "name": "Engine" })).await;
    (path.clone(), format!("{path}/members"))
}

async fn set(who: &Client, members: &str, wanted: &[&str]) -> insula_tests::Reply {
    who.put(members, json!({ "members": wanted })).await
}

#[tokio::test]
async fn the_members_are_those_that_were_given_and_nobody_else() {
    let org = OrgFixture::start().await;
    let (path, members) = project(&org).await;
    let (mia, max) = (org.member(&org.mia).await, org.member(&org.max).await);
    let none = org.viewer.get(&members).await;
    assert_eq!(
        (none.expect(200), none.header("etag")),
        (json!({ "members": [], "version": 1 }), Some("\"1\""))
    );

    let both = set(&org.owner, &members, &[&max, &mia]).await;
    let mut sorted = [mia.as_str(), max.as_str()];
    sorted.sort_unstable();
    let body = json!({ "members": sorted, "version": 2 });
    assert_eq!((both.expect(200), both.header("etag")), (body.clone(), Some("\"2\"")));
    assert_eq!(org.viewer.get(&members).await.expect(200), body);
    assert_eq!(org.owner.get(&path).await.expect(200)["version"], 2);
    // The same ones, in whatever order: nothing happens.
    assert_eq!(set(&org.owner, &members, &[&mia, &max]).await.expect(200), body);
    let known = org.owner.get(&members).header("if-none-match", "\"2\"").await;
    assert_eq!((known.status, known.header("etag")), (304, Some("\"2\"")));

    let one = set(&org.admin, &members, &[&max]).await.expect(200);
    assert_eq!(one, json!({ "members": [max], "version": 3 }));
    assert_eq!(
        org.events("project.updated").await,
        [
            json!({ "before": { "members": [] }, "after": { "members": sorted } }),
            json!({ "before": { "members": sorted }, "after": { "members": [max] } }),
        ]
    );
}

#[tokio::test]
async fn a_stale_copy_replaces_nobody() {
    let org = OrgFixture::start().await;
    let (_, members) = project(&org).await;
    let body = json!({ "members": [org.member(&org.mia).await] });
    let put = |tag: &str| org.owner.put(&members, body.clone()).header("if-match", tag);
    put("\"2\"").await.problem(412, "PRECONDITION_FAILED");
    assert_eq!(org.owner.get(&members).await.expect(200)["members"], json!([]));
    put("\"1\"").await.expect(200);
    put("\"1\"").await.problem(412, "PRECONDITION_FAILED");
    put("*").await.expect(200);
    assert_eq!(org.events("project.updated").await.len(), 1);
}

#[tokio::test]
async fn inactive_members_are_named_by_their_position() {
    let org = OrgFixture::start().await;
    let (_, members) = project(&org).await;
    let database = org.server.database().await;
    let foreigner = org.stranger("eve").await;
    let elsewhere = foreigner.create_organization(&unique("elsewhere")).await.slug;
    let mine = format!("/api/v1/organizations/{elsewhere}/me/permissions");
    let mine = foreigner.get(&mine).await.expect(200);
    let foreign = mine["member_id"].as_str().unwrap();
    let (mia, max) = (org.member(&org.mia).await, org.member(&org.max).await);
    let victor = org.member(&org.viewer).await;
    org.owner
        .patch(&org.path(&format!("/members/{max}")), json!({ "status": "suspended" }))
        .await
        .expect(200);
    let blocked = format!("UPDATE users SET is_active = false WHERE email = '{}'", org.email("victor"));
    database.execute(&blocked).await;

    let reply = set(&org.owner, &members, &[&mia, NOTHING, &max, foreign, &victor]).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(
        reply.faults(),
        [
            "members[1] UNKNOWN_MEMBER",
            "members[2] INACTIVE_MEMBER",
            "members[3] UNKNOWN_MEMBER",
            "members[4] INACTIVE_MEMBER",
        ]
    );
    assert_eq!(org.owner.get(&members).await.expect(200), json!({ "members": [], "version": 1 }));

    // A project member who was suspended can stay.
    set(&org.owner, &members, &[&mia]).await.expect(200);
    org.owner
        .patch(&org.path(&format!("/members/{mia}")), json!({ "status": "suspended" }))
        .await
        .expect(200);
    let admin = org.member(&org.admin).await;
    let both = set(&org.owner, &members, &[&mia, &admin]).await.expect(200);
    assert_eq!(both["members"].as_array().unwrap().len(), 2);
    set(&org.owner, &members, &[&admin]).await.expect(200);
    set(&org.owner, &members, &[&mia, &admin]).await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused() {
    let org = OrgFixture::start().await;
    let (path, members) = project(&org).await;
    let mia = org.member(&org.mia).await;
    let too_many: Vec<_> = (0..501).map(|n| format!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f{n:04}")).collect();
    for (body, faults) in [
        (json!({}), vec!["members REQUIRED"]),
        (json!({ "members": null }), vec!["members NULL_NOT_ALLOWED"]),
        (json!({ "members": [mia, mia] }), vec!["members[1] NOT_UNIQUE"]),
        (json!({ "members": ["mia", 7] }), vec!["members[0] INVALID_FORMAT", "members[1] WRONG_TYPE"]),
        (json!({ "members": [], "more": 1 }), vec!["more UNKNOWN_FIELD"]),
        (json!({ "members": too_many }), vec!["members TOO_LONG"]),
    ] {
        let reply = org.owner.put(&members, body).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults);
    }
    for who in [&org.mia, &org.viewer] {
        let problem = who.put(&members, json!({ "members": "x" })).await.problem(403, "FORBIDDEN");
        assert_eq!(problem["permission"], "projects:update");
    }
    // For a missing project, the answer does not mention the invalid body.
    org.owner.delete(&path).await.expect(204);
    for body in [json!({ "members": [] }), json!({ "members": 7 })] {
        org.owner.put(&members, body).await.problem(404, "NOT_FOUND");
    }
    org.owner.get(&members).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn five_hundred_belong_to_one_project() {
    let org = OrgFixture::start().await;
    let (_, members) = project(&org).await;
    let unknown: Vec<_> = (0..500).map(|n| format!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f{n:04}")).collect();
    let reply = org.owner.put(&members, json!({ "members": unknown })).await;
    let problem = reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(50));
    let first: Value = problem["errors"][0]["code"].clone();
    assert_eq!(first, "UNKNOWN_MEMBER");
}

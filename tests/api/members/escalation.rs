//! No privilege escalation: every operation that grants a permission requires it of the granting member.

use insula_tests::{Client, DemoFixture};
use serde_json::{Value, json};

use super::{membership, roles};

const ORG: &str = "/api/v1/organizations/demo";

/// Mia, with a role that gives and nothing else of interest; and what she lacks.
async fn giver(demo: &DemoFixture, olivia: &Client) -> Client {
    let may = [
        "members:read",
        "members:update",
        "members:remove",
        "members:invite",
        "roles:read",
        "roles:create",
        "roles:update",
        "roles:delete",
        "roles:assign",
        "tasks:read",
    ];
    roles::role(olivia, "Giver", &may).await;
    roles::role(olivia, "Weak", &["tasks:read"]).await;
    roles::role(olivia, "Strong", &["tasks:read", "audit:read", "settings:update"]).await;
    let mia = membership::path(olivia, "mia").await;
    olivia.patch(&mia, json!({ "roles": ["giver"] })).await.expect(200);
    demo.user("mia").await
}

fn lacks(problem: &Value, missing: &[&str]) {
    assert_eq!(problem["missing"], json!(missing), "{problem}");
}

#[tokio::test]
async fn every_operation_that_grants_uses_the_same_rule() {
    let demo = DemoFixture::start().await;
    let olivia = demo.user("olivia").await;
    let mia = giver(&demo, &olivia).await;
    let victor = membership::path(&olivia, "victor").await;
    let path_of = async |key: &str| -> String {
        let listed = olivia.get(&format!("{ORG}/roles")).await.expect(200);
        let role = listed["data"].as_array().unwrap().iter().find(|role| role["key"] == key).unwrap().clone();
        format!("{ORG}/roles/{}", role["id"].as_str().unwrap())
    };
    let missing = &["audit:read", "settings:update"][..];

    // A new role.
    let draft = json!({ "name": "Mine", "permissions": ["tasks:read", "settings:update", "audit:read"] });
    lacks(&mia.post(&format!("{ORG}/roles"), draft).await.problem(403, "ESCALATION"), missing);
    mia.post(&format!("{ORG}/roles"), json!({ "name": "Mine", "permissions": ["tasks:read"] }))
        .await
        .expect(201);
    // More for a role that others hold, or she herself.
    for key in ["weak", "giver"] {
        let put = format!("{}/permissions", path_of(key).await);
        let more = json!({ "permissions": ["tasks:read", "audit:read"] });
        lacks(&mia.put(&put, more).header("if-match", "*").await.problem(403, "ESCALATION"), &["audit:read"]);
    }
    // What is there already may stay.
    let put = format!("{}/permissions", path_of("strong").await);
    let less = json!({ "permissions": ["audit:read", "roles:read"] });
    mia.put(&put, less).header("if-match", "*").await.expect(200);
    let back = json!({ "permissions": ["tasks:read", "audit:read", "settings:update"] });
    lacks(
        &mia.put(&put, back.clone()).header("if-match", "*").await.problem(403, "ESCALATION"),
        &["settings:update"],
    );
    olivia.put(&put, back).header("if-match", "*").await.expect(200);
    // A role for a member, and for herself.
    let own = membership::path(&olivia, "mia").await;
    for path in [&victor, &own] {
        lacks(
            &mia.patch(path, json!({ "roles": ["giver", "strong"] })).await.problem(403, "ESCALATION"),
            missing,
        );
        mia.patch(path, json!({ "roles": ["owner"] })).await.problem(403, "OWNER_PROTECTED");
        mia.patch(path, json!({ "roles": ["giver", "weak"] })).await.expect(200);
    }
    // A role in the place of another.
    let weak = path_of("weak").await;
    let swap = format!("{weak}?reassign_to=strong");
    lacks(&mia.delete(&swap).header("if-match", "*").await.problem(403, "ESCALATION"), missing);
    let swap = format!("{weak}?reassign_to=owner");
    mia.delete(&swap).header("if-match", "*").await.problem(403, "OWNER_PROTECTED");
    // An invitation.
    let invitations = format!("{ORG}/invitations");
    let invite = |role: &str| json!({ "email": "zed@example.com", "roles": [role] });
    lacks(&mia.post(&invitations, invite("strong")).await.problem(403, "ESCALATION"), missing);
    mia.post(&invitations, invite("owner")).await.problem(403, "OWNER_PROTECTED");
    mia.post(&invitations, invite("weak")).await.expect(201);
    // Reactivation gives a member their permissions back.
    olivia.patch(&victor, json!({ "roles": ["strong"], "status": "suspended" })).await.expect(200);
    lacks(&mia.patch(&victor, json!({ "status": "active" })).await.problem(403, "ESCALATION"), missing);
    mia.patch(&victor, json!({ "status": "active", "roles": ["weak"] })).await.expect(200);

    // Nothing of it happened.
    let held = mia.get(&format!("{ORG}/me/permissions")).await.expect(200);
    let held: Vec<_> =
        held["permissions"].as_array().unwrap().iter().map(|held| held["permission"].clone()).collect();
    assert!(!held.contains(&json!("audit:read")) && !held.contains(&json!("settings:update")), "{held:?}");
}

#[tokio::test]
async fn granting_roles_needs_a_separate_permission() {
    let demo = DemoFixture::start().await;
    let olivia = demo.user("olivia").await;
    roles::role(&olivia, "Warden", &["members:read", "members:update", "roles:read", "roles:delete"]).await;
    let empty = roles::role(&olivia, "Empty", &[]).await;
    let mias = membership::path(&olivia, "mia").await;
    olivia.patch(&mias, json!({ "roles": ["warden"] })).await.expect(200);
    let (mia, victor) = (demo.user("mia").await, membership::path(&olivia, "victor").await);
    let problem = mia.patch(&victor, json!({ "roles": [] })).await.problem(403, "FORBIDDEN");
    assert_eq!(problem["permission"], "roles:assign");
    let problem = mia.delete(&format!("{empty}?reassign_to=warden")).header("if-match", "*").await;
    assert_eq!(problem.problem(403, "FORBIDDEN")["permission"], "roles:assign");
    mia.patch(&victor, json!({ "status": "suspended" })).await.expect(200);
    // Not reactivated: the member has permissions that she does not have.
    mia.patch(&victor, json!({ "status": "active" })).await.problem(403, "ESCALATION");
    mia.delete(&empty).header("if-match", "*").await.expect(204);
}

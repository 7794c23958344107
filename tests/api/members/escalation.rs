//! No privilege escalation: every operation that grants a permission requires it of the granting member.

use insula_tests::Client;
use serde_json::{Value, json};

use super::{
    membership::{self, Team},
    roles,
};

const ORG: &str = "/api/v1/organizations/{org}";

/// Mia, with a role that gives and nothing else of interest; and what she lacks.
async fn giver(team: &Team, ada: &Client) -> Client {
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
    roles::role(ada, "Giver", &may).await;
    roles::role(ada, "Weak", &["tasks:read"]).await;
    roles::role(ada, "Strong", &["tasks:read", "audit:read", "settings:update"]).await;
    let mia = membership::path(ada, "mia").await;
    ada.patch(&mia, json!({ "roles": ["giver"] })).await.expect(200);
    team.mia.clone()
}

fn lacks(problem: &Value, missing: &[&str]) {
    assert_eq!(problem["missing"], json!(missing), "{problem}");
}

#[tokio::test]
async fn every_operation_that_grants_uses_the_same_rule() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let mia = giver(&team, &ada).await;
    let victor = membership::path(&ada, "victor").await;
    let path_of = async |key: &str| -> String {
        let listed = ada.get(&format!("{ORG}/roles")).await.expect(200);
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
    ada.put(&put, back).header("if-match", "*").await.expect(200);
    // A role for a member, and for herself.
    let own = membership::path(&ada, "mia").await;
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
    let invite = |role: &str| json!({ "email": team.email("zed"), "roles": [role] });
    lacks(&mia.post(&invitations, invite("strong")).await.problem(403, "ESCALATION"), missing);
    mia.post(&invitations, invite("owner")).await.problem(403, "OWNER_PROTECTED");
    mia.post(&invitations, invite("weak")).await.expect(201);
    // Reactivation gives a member their permissions back.
    ada.patch(&victor, json!({ "roles": ["strong"], "status": "suspended" })).await.expect(200);
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
    let team = Team::start().await;
    let ada = team.owner.clone();
    roles::role(&ada, "Warden", &["members:read", "members:update", "roles:read", "roles:delete"]).await;
    let empty = roles::role(&ada, "Empty", &[]).await;
    let mias = membership::path(&ada, "mia").await;
    ada.patch(&mias, json!({ "roles": ["warden"] })).await.expect(200);
    let (mia, victor) = (team.mia.clone(), membership::path(&ada, "victor").await);
    let problem = mia.patch(&victor, json!({ "roles": [] })).await.problem(403, "FORBIDDEN");
    assert_eq!(problem["permission"], "roles:assign");
    let problem = mia.delete(&format!("{empty}?reassign_to=warden")).header("if-match", "*").await;
    assert_eq!(problem.problem(403, "FORBIDDEN")["permission"], "roles:assign");
    mia.patch(&victor, json!({ "status": "suspended" })).await.expect(200);
    // Not reactivated: the member has permissions that she does not have.
    mia.patch(&victor, json!({ "status": "active" })).await.problem(403, "ESCALATION");
    mia.delete(&empty).header("if-match", "*").await.expect(204);
}

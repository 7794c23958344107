//! The list of permissions, and the check and explanation of a decision.

use serde_json::json;

use super::{
    membership::{self, Team},
    roles,
};

#[tokio::test]
async fn the_permission_list_names_the_operations() {
    let team = Team::start().await;
    team.server.client().get("/api/v1/permissions").await.problem(401, "UNAUTHENTICATED");
    let catalogue = team.victor.clone().get("/api/v1/permissions").await.expect(200);
    let data = catalogue["data"].as_array().unwrap();
    assert_eq!(data.len(), 34);
    let of = |name: &str| data.iter().find(|permission| permission["permission"] == name).unwrap();
    assert_eq!(of("roles:create")["operations"], json!(["createRole"]));
    assert_eq!(of("roles:create")["writes"], true);
    assert_eq!(of("projects:read")["operations"], json!(["getProject", "getProjectMembers", "listProjects"]));
    assert_eq!(
        (&of("tasks:manage_all")["operations"], &of("tasks:read")["writes"]),
        (&json!([]), &json!(false))
    );
    assert!(data.iter().all(|permission| permission["description"].as_str().unwrap().len() > 5));
}

#[tokio::test]
async fn check_and_explain_agree_with_the_decision() {
    let team = Team::start().await;
    let (ada, victor) = (team.owner.clone(), team.victor.clone());
    roles::role(&ada, "Lead", &["projects:create"]).await;
    let ask = async |caller: &insula_tests::Client, how: &str, body| {
        caller.post(&format!("/api/v1/organizations/{{org}}/authz/{how}"), body).await
    };
    for how in ["check", "explain"] {
        let no = ask(&victor, how, json!({ "permission": "projects:create" })).await.expect(200);
        assert_eq!(
            no,
            json!({
                "allowed": false, "permission": "projects:create", "reason": "permission_missing", "granted_by": [],
                "roles_held": ["viewer"], "roles_that_grant": ["owner", "admin", "lead"],
            })
        );
    }
    // The refusal of the request itself says the same.
    let refused =
        victor.post("/api/v1/organizations/{org}/projects", json!({ "code": "X", "name": "X" })).await;
    let refused = refused.problem(403, "FORBIDDEN");
    assert_eq!(refused["roles_held"], json!(["viewer"]));
    assert_eq!(refused["roles_that_grant"], json!(["owner", "admin", "lead"]));

    let victors = membership::member(&ada, "victor").await["id"].clone();
    ada.patch(&membership::path(&ada, "victor").await, json!({ "roles": ["viewer", "lead"] }))
        .await
        .expect(200);
    let yes = ask(&ada, "explain", json!({ "permission": "projects:create", "member_id": victors })).await;
    let yes = yes.expect(200);
    assert_eq!((&yes["allowed"], &yes["granted_by"]), (&json!(true), &json!(["lead"])));
    let of_him = format!("/api/v1/organizations/{{org}}/members/{}/permissions", victors.as_str().unwrap());
    let held = ada.get(&of_him).await.expect(200);
    assert_eq!(held["roles"].as_array().unwrap().len(), 2);
    assert_eq!(held, victor.get("/api/v1/organizations/{org}/me/permissions").await.expect(200));

    let unknown = ask(&victor, "check", json!({ "permission": "projects:fly" })).await;
    unknown.problem(422, "VALIDATION_FAILED");
    assert_eq!(unknown.faults(), ["permission UNKNOWN_PERMISSION"]);
    let nobody =
        json!({ "permission": "projects:read", "member_id": "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091" });
    ask(&victor, "check", nobody.clone()).await.problem(404, "NOT_FOUND");
    // Who may not see members learns nothing of them.
    ada.patch(&membership::path(&ada, "victor").await, json!({ "roles": ["lead"] })).await.expect(200);
    let problem = ask(&victor, "check", nobody).await.problem(403, "FORBIDDEN");
    assert_eq!(problem["permission"], "members:read");
}

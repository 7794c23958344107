//! Custom roles of an organization.

use std::collections::HashSet;

use insula_tests::{Client, OrgFixture, OrgWithOwner, concurrently, id, unique};
use serde_json::{Value, json};

use crate::members::membership::{self, Team};

const ROLES: &str = "/api/v1/organizations/{org}/roles";

/// A role of the organization's own; its path.
pub(crate) async fn role(caller: &Client, name: &str, permissions: &[&str]) -> String {
    let made = caller.post(ROLES, json!({ "name": name, "permissions": permissions })).await;
    made.expect(201);
    made.header("location").unwrap().to_owned()
}

#[tokio::test]
async fn a_role_is_created_granted_and_updated_with_immediate_effect() {
    let team = Team::start().await;
    let (ada, victor) = (team.owner.clone(), team.victor.clone());
    let draft = json!({
        "name": "Project lead",
        "description": "Plans the work",
        "permissions": ["projects:create", "projects:read", "projects:create"],
    });
    let made = ada.post(ROLES, draft.clone()).header("idempotency-key", "lead").await;
    let role = made.expect(201);
    assert_eq!((&role["key"], &role["is_builtin"]), (&json!("project-lead"), &json!(false)));
    assert_eq!(role["permissions"], json!(["projects:read", "projects:create"]));
    let again = ada.post(ROLES, draft).header("idempotency-key", "lead").await;
    assert_eq!((again.expect(201), again.header("etag")), (role.clone(), Some("\"1\"")));
    let path = made.header("location").unwrap();
    assert_eq!(ada.get(path).await.expect(200), role);

    let victors = membership::path(&ada, "victor").await;
    ada.patch(&victors, json!({ "roles": ["project-lead"] })).await.expect(200);
    let projects = "/api/v1/organizations/{org}/projects";
    victor.post(projects, json!({ "code": "A", "name": "A" })).await.expect(201);
    victor.get("/api/v1/organizations/{org}/members").await.problem(403, "FORBIDDEN");
    let held = victor.get("/api/v1/organizations/{org}/me/permissions").await.expect(200);
    assert_eq!(held["permissions"][1]["roles"], json!(["project-lead"]));

    let fewer = json!({ "permissions": ["projects:read"] });
    let permissions = format!("{path}/permissions");
    let preview =
        ada.put(&format!("{permissions}?dry_run=true"), fewer.clone()).header("if-match", "\"1\"").await;
    let preview = preview.expect(200);
    assert_eq!(preview["effects"][0]["loses"], json!(["projects:create"]));
    victor.post(projects, json!({ "code": "B", "name": "B" })).await.expect(201);
    let changed = ada.put(&permissions, fewer).header("if-match", "\"1\"").await;
    assert_eq!((changed.expect(200)["version"].clone(), changed.header("etag")), (json!(2), Some("\"2\"")));
    let problem = victor.post(projects, json!({ "code": "C", "name": "C" })).await.problem(403, "FORBIDDEN");
    assert_eq!(problem["roles_held"], json!(["project-lead"]));
    assert_eq!(problem["roles_that_grant"], json!(["owner", "admin"]));
}

#[tokio::test]
async fn a_list_of_roles_has_the_number_of_their_members() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let path = role(&ada, "Lead", &["projects:read"]).await;
    let counts = async || -> Vec<(String, u64)> {
        let listed = ada.get(ROLES).await.expect(200);
        let count = |role: &Value| {
            (role["key"].as_str().unwrap().to_owned(), role["members_count"].as_u64().unwrap())
        };
        listed["data"].as_array().unwrap().iter().map(count).collect()
    };
    let expected = |numbers: [u64; 5]| -> Vec<_> {
        ["owner", "admin", "member", "viewer", "lead"].map(str::to_owned).into_iter().zip(numbers).collect()
    };
    assert_eq!(counts().await, expected([1, 1, 1, 1, 0]));
    let mia = membership::path(&ada, "mia").await;
    ada.patch(&mia, json!({ "roles": ["member", "lead"], "status": "suspended" })).await.expect(200);
    assert_eq!(counts().await, expected([1, 1, 1, 1, 1]));
    ada.delete(&mia).await.expect(204);
    assert_eq!(counts().await, expected([1, 1, 0, 1, 0]));
    // It does not change the version.
    assert!(ada.get(&path).await.expect(200).get("members_count").is_none());
}

/// The role that is deleted in a preview can be replaced by that of owners.
#[tokio::test]
async fn a_preview_of_roles_needs_no_recent_login() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let path = role(&ada, "Lead", &["projects:read"]).await;
    let mia = membership::path(&ada, "mia").await;
    ada.patch(&mia, json!({ "roles": ["lead"] })).await.expect(200);
    team.database().await.backdate_logins(&team.own_users()).await;
    let delete = format!("{path}?reassign_to=owner");
    ada.delete(&delete).header("if-match", "*").await.problem(403, "REAUTH_REQUIRED");
    let preview = ada.delete(&format!("{delete}&dry_run=true")).header("if-match", "*").await.expect(200);
    assert!(preview["effects"][0]["gains"].as_array().unwrap().contains(&json!("organization:delete")));
    assert_eq!(preview["effects"][0]["display_name"], "mia");
    ada.get(&path).await.expect(200);
}

#[tokio::test]
async fn an_update_of_a_role_needs_if_match() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let path = role(&ada, "Lead", &["projects:read"]).await;
    let permissions = json!({ "permissions": [] });
    let put = format!("{path}/permissions");
    ada.patch(&path, json!({ "name": "Head" })).await.problem(428, "PRECONDITION_REQUIRED");
    ada.put(&put, permissions.clone()).await.problem(428, "PRECONDITION_REQUIRED");
    ada.delete(&path).await.problem(428, "PRECONDITION_REQUIRED");
    let stale = "\"7\"";
    ada.patch(&path, json!({ "name": "Head" }))
        .header("if-match", stale)
        .await
        .problem(412, "PRECONDITION_FAILED");
    ada.put(&put, permissions).header("if-match", stale).await.problem(412, "PRECONDITION_FAILED");
    ada.delete(&path).header("if-match", stale).await.problem(412, "PRECONDITION_FAILED");
    // A missing role has no version, and an invalid body is reported before a missing `If-Match`.
    let nothing = format!("{ROLES}/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091");
    ada.patch(&nothing, json!({ "name": "" })).await.problem(404, "NOT_FOUND");
    ada.patch(&path, json!({ "name": "" })).await.problem(422, "VALIDATION_FAILED");
    let renamed =
        ada.patch(&path, json!({ "name": "Head", "description": "Decides" })).header("if-match", "*").await;
    let renamed = renamed.expect(200);
    assert_eq!(
        (&renamed["name"], &renamed["key"]),
        (&json!("Head"), &json!("lead")),
        "a key stays what it is"
    );
}

#[tokio::test]
async fn built_in_roles_stay_as_they_are() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let listed = ada.get(ROLES).await.expect(200);
    let builtin = listed["data"].as_array().unwrap();
    assert_eq!(
        builtin.iter().map(|role| role["key"].as_str().unwrap()).collect::<Vec<_>>(),
        ["owner", "admin", "member", "viewer"]
    );
    for role in builtin {
        assert_eq!(role["is_builtin"], true);
        let path = format!("{ROLES}/{}", role["id"].as_str().unwrap());
        ada.patch(&path, json!({ "name": "Mine" }))
            .header("if-match", "*")
            .await
            .problem(409, "ROLE_BUILTIN");
        let put =
            ada.put(&format!("{path}/permissions"), json!({ "permissions": [] })).header("if-match", "*");
        put.await.problem(409, "ROLE_BUILTIN");
        ada.delete(&path).header("if-match", "*").await.problem(409, "ROLE_BUILTIN");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_role_is_named() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let draft = json!({ "name": "x".repeat(51), "description": "y".repeat(256), "permissions": [] });
    let reply = ada.post(ROLES, draft).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["description TOO_LONG", "name TOO_LONG"]);
    let draft = json!({ "name": "Lead", "permissions": ["projects:read", "projects:fly", "tasks:sing"] });
    let reply = ada.post(ROLES, draft).await;
    let problem = reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["permissions[1] UNKNOWN_PERMISSION", "permissions[2] UNKNOWN_PERMISSION"]);
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("projects:fly"));
    for (lies, code) in [
        ("\u{41E}wner", "MIXED_SCRIPTS"),
        ("Ow\u{200B}ner", "INVALID_FORMAT"),
        ("\u{202E}renwO", "INVALID_FORMAT"),
    ] {
        let reply = ada.post(ROLES, json!({ "name": lies, "permissions": [] })).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("name {code}")]);
    }
    role(&ada, "Äpfel", &[]).await;
    // The name itself, and what looks like it (UTS 39).
    let other = role(&ada, "Lead", &[]).await;
    for taken in ["ÄPFEL", "Owner", " äpfel ", "0wner", "Adrnin", "\u{FF2F}WNER", "View er"] {
        let draft = json!({ "name": taken, "permissions": [] });
        ada.post(ROLES, draft).await.problem(409, "ROLE_NAME_TAKEN");
        let rename = ada.patch(&other, json!({ "name": taken })).header("if-match", "*");
        rename.await.problem(409, "ROLE_NAME_TAKEN");
    }
    ada.patch(&other, json!({ "name": "LEAD" })).header("if-match", "*").await.expect(200);
    // Names may be alike in what programs call them.
    let (first, second) = (role(&ada, "A b", &[]).await, role(&ada, "A-b", &[]).await);
    let key = async |path: &str| ada.get(path).await.expect(200)["key"].as_str().unwrap().to_owned();
    assert_eq!(key(&first).await, "a-b");
    assert!(key(&second).await.starts_with("a-b-"));
}

/// RB7.
#[tokio::test]
async fn a_role_of_members_is_deleted_only_with_a_replacement() {
    let team = Team::start().await;
    let (ada, mia) = (team.owner.clone(), team.mia.clone());
    let path = role(&ada, "Lead", &["projects:read", "projects:delete"]).await;
    let mias = membership::member(&ada, "mia").await;
    let mias_path = membership::path(&ada, "mia").await;
    ada.patch(&mias_path, json!({ "roles": ["lead", "viewer"] })).await.expect(200);
    let delete = async |query: &str| ada.delete(&format!("{path}{query}")).header("if-match", "*").await;
    let problem = delete("").await.problem(409, "ROLE_IN_USE");
    assert_eq!(problem["members"], json!([mias["id"]]));
    for unknown in ["nonsense", "lead"] {
        let reply = delete(&format!("?reassign_to={unknown}")).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["reassign_to UNKNOWN_REFERENCE"]);
    }
    let preview = delete("?reassign_to=member&dry_run=true").await.expect(200);
    assert_eq!(preview["effects"][0]["loses"], json!(["projects:delete"]));
    assert_eq!(preview["effects"][0]["gains"].as_array().unwrap().len(), 7);
    delete("?reassign_to=viewer").await.expect(204);
    let held = mia.get("/api/v1/organizations/{org}/me/permissions").await.expect(200);
    assert_eq!(held["roles"].as_array().unwrap().len(), 1);
    assert_eq!(held["roles"][0]["key"], "viewer");
    ada.get(&path).await.problem(404, "NOT_FOUND");
    // Its name is free again, its key is not.
    let again = ada.get(&role(&ada, "Lead", &[]).await).await.expect(200);
    assert!(again["key"].as_str().unwrap().starts_with("lead-"), "{again}");
}

/// Open invitations to a role count like its holders.
#[tokio::test]
async fn a_role_of_invitations_is_deleted_only_with_a_replacement() {
    let org = OrgFixture::start().await;
    let role = json!({ "name": "Lead", "permissions": ["projects:read", "projects:delete"] });
    let path = format!(
        "{}/{}",
        org.path("/roles"),
        id(&org.owner.post(&org.path("/roles"), role).await.expect(201))
    );
    let invite = async |name: &str, roles: &[&str]| {
        id(&org.owner.invite(&org.slug, &org.email(name), roles).await.expect(201))
    };
    let (nina, both) = (invite("nina", &["lead"]).await, invite("both", &["lead", "viewer"]).await);
    let (closed, late) = (invite("closed", &["lead"]).await, invite("late", &["lead"]).await);
    let invitation = |id: &str| org.path(&format!("/invitations/{id}"));
    org.owner.delete(&invitation(&closed)).await.expect(204);
    let over =
        format!("UPDATE invitations SET expires_at = created_at WHERE email = '{}'", org.email("late"));
    org.server.database().await.execute(&over).await;
    let delete =
        async |query: &str| org.owner.delete(&format!("{path}{query}")).header("if-match", "*").await;

    let problem = delete("").await.problem(409, "ROLE_IN_USE");
    assert_eq!((&problem["members"], &problem["invitations"]), (&json!([]), &json!([nina, both])));
    let preview = delete("?reassign_to=viewer&dry_run=true").await.expect(200);
    assert_eq!(preview, json!({ "effects": [], "invitations": [nina, both] }));
    delete("").await.problem(409, "ROLE_IN_USE");
    delete("?reassign_to=viewer").await.expect(204);
    for (id, version) in [(&nina, 2), (&both, 2), (&late, 2), (&closed, 2)] {
        let shown = org.owner.get(&invitation(id)).await.expect(200);
        let roles: Vec<_> = shown["roles"].as_array().unwrap().iter().map(|role| &role["key"]).collect();
        let expected = if *id == closed { vec![] } else { vec!["viewer"] };
        assert_eq!(roles, expected, "{shown}");
        let stored =
            format!("SELECT version FROM invitations WHERE id = {}", org.server.database().await.id(id));
        assert_eq!(org.server.database().await.scalar(&stored).await, version, "{shown}");
    }
    assert_eq!(org.events("invitation.updated").await.len(), 3);

    let invited = org.stranger("nina").await;
    let token = org.server.invitation_token(&org.email("nina"), 1).await;
    invited.accept(&token, json!({})).await.expect(200);
    let mine = invited.get(&org.path("/me/permissions")).await.expect(200);
    assert_eq!(mine["roles"][0]["key"], "viewer");
}

/// Nobody gives by another's invitation what is not theirs to give, and what is over keeps no role.
#[tokio::test]
async fn invitations_that_are_over_keep_no_role() {
    let org = OrgFixture::start().await;
    let role = json!({ "name": "Lead", "permissions": [] });
    let path = format!(
        "{}/{}",
        org.path("/roles"),
        id(&org.owner.post(&org.path("/roles"), role).await.expect(201))
    );
    org.owner.invite(&org.slug, &org.email("late"), &["lead"]).await.expect(201);
    let swap = format!("{path}?reassign_to=owner");
    org.admin.delete(&swap).header("if-match", "*").await.problem(403, "OWNER_PROTECTED");
    let over = format!("UPDATE invitations SET expires_at = created_at WHERE {}", org.own_rows());
    assert_eq!(org.server.database().await.execute(&over).await, 1);
    org.admin.delete(&path).header("if-match", "*").await.expect(204);
}

#[tokio::test]
async fn one_of_concurrent_creations_with_one_name_succeeds() {
    let ada = OrgWithOwner::start().await.owner;
    let replies = concurrently(64, |number| {
        let name = ["lead", "LEAD", "Lead"][number % 3];
        let made = ada.post(ROLES, json!({ "name": name, "permissions": [] }));
        async move { made.await }
    });
    let replies = replies.await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    replies.iter().filter(|reply| reply.status != 201).for_each(|reply| {
        reply.problem(409, "ROLE_NAME_TAKEN");
    });
}

/// What is alike for programs and not for users: each gets its role, and a key of its own.
#[tokio::test]
async fn concurrent_creations_with_different_names_all_succeed() {
    let ada = OrgWithOwner::start().await.owner;
    let replies = concurrently(16, |number| {
        let name = format!("Lead{}", "!".repeat(number));
        let made = ada.post(ROLES, json!({ "name": name, "permissions": [] }));
        async move { made.await.expect(201)["key"].as_str().unwrap().to_owned() }
    });
    let keys: HashSet<_> = replies.await.into_iter().collect();
    assert_eq!(keys.len(), 16);
    assert!(keys.contains("lead"), "{keys:?}");
}

/// A role of one organization is nothing in another, though it has the same key.
#[tokio::test]
async fn a_role_is_invisible_elsewhere() {
    let team = Team::start().await;
    let ada = team.owner.clone();
    let path = role(&ada, "Lead", &["projects:read"]).await;
    let id = path.rsplit('/').next().unwrap();
    let eve = team.stranger("eve").await;
    let other = eve.create_organization(&unique("other")).await;
    let roles = format!("/api/v1/organizations/{}/roles", other.slug);
    eve.get(&format!("{roles}/{id}")).await.problem(404, "NOT_FOUND");
    let members = eve.get(&format!("/api/v1/organizations/{}/members", other.slug)).await.expect(200);
    let own =
        format!("/api/v1/organizations/{}/members/{}", other.id, members["data"][0]["id"].as_str().unwrap());
    for foreign in [id, "lead"] {
        let reply = eve.patch(&own, json!({ "roles": ["owner", foreign] })).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["roles[1] UNKNOWN_REFERENCE"]);
    }
    let listed = eve.get(&roles).await.expect(200);
    assert!(listed["data"].as_array().unwrap().iter().all(|role| role["is_builtin"] == Value::Bool(true)));
}

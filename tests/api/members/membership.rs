//! Members: list, suspend, update roles, remove.

use std::ops::Deref;

use insula_tests::{Client, OrgWithOwner, concurrently};
use serde_json::{Value, json};

const MEMBERS: &str = "/api/v1/organizations/{org}/members";

/// An organization with a member of each role: Ada (owner), Adam (admin), Mia (member) and Victor (viewer).
pub(crate) struct Team {
    base: OrgWithOwner,
    pub(crate) adam: Client,
    pub(crate) mia: Client,
    pub(crate) victor: Client,
}

impl Team {
    pub(crate) async fn start() -> Self {
        Self::of(OrgWithOwner::start().await).await
    }

    pub(crate) async fn of(base: OrgWithOwner) -> Self {
        let adam = base.join("adam", "admin").await;
        let (mia, victor) = (base.join("mia", "member").await, base.join("victor", "viewer").await);
        Self { base, adam, mia, victor }
    }
}

impl Deref for Team {
    type Target = OrgWithOwner;

    fn deref(&self) -> &OrgWithOwner {
        &self.base
    }
}

/// The member who is called so.
pub(crate) async fn member(caller: &Client, name: &str) -> Value {
    let found = caller.get(&format!("{MEMBERS}?q={name}%40")).await.expect(200);
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
    let team = Team::start().await;
    let victor = team.victor.clone();
    let name = json!({ "first_name": "Ada", "last_name": "Lovelace" });
    team.owner.patch("/api/v1/users/me", name).await.expect(200);
    let all = victor.get(MEMBERS).await.expect(200);
    let names: Vec<_> =
        all["data"].as_array().unwrap().iter().map(|member| member["user"]["email"].clone()).collect();
    assert_eq!(names, ["ada", "adam", "mia", "victor"].map(|name| json!(team.email(name))));
    let ada = &all["data"][0];
    assert_eq!((keys(ada), &ada["status"]), (vec!["owner"], &json!("active")));
    assert_eq!(ada["user"]["display_name"], "Ada Lovelace");
    assert!(ada["user"].get("is_superuser").is_none(), "members see no flags of the account");

    let first = victor.get(&format!("{MEMBERS}?limit=3&sort=-joined_at")).await.expect(200);
    assert_eq!(first["data"][0]["user"]["email"], json!(team.email("victor")));
    let next = first["next_cursor"].as_str().unwrap();
    let second = victor.get(&format!("{MEMBERS}?limit=3&sort=-joined_at&cursor={next}")).await.expect(200);
    assert_eq!((&second["data"][0], &second["has_more"]), (ada, &json!(false)));

    let ids = async |query: &str| -> Vec<Value> {
        let page = victor.get(&format!("{MEMBERS}?{query}")).await.expect(200);
        page["data"].as_array().unwrap().iter().map(|member| member["user"]["email"].clone()).collect()
    };
    assert_eq!(ids("role=admin").await, [team.email("adam")]);
    assert_eq!(ids("role=nonsense").await, Vec::<Value>::new());
    assert_eq!(ids(&format!("role={}", ada["roles"][0]["id"].as_str().unwrap())).await, [team.email("ada")]);
    assert_eq!(ids("q=MIA").await, [team.email("mia")]);
    // Names are found without regard to case and accents.
    let name = json!({ "first_name": "Leïla", "last_name": "Ångström" });
    team.mia.patch("/api/v1/users/me", name).await.expect(200);
    for term in ["leila", "LEÏ", "%C3%A5ngstrom", "a+ang", "Lei%CC%88la"] {
        assert_eq!(ids(&format!("q={term}")).await, [team.email("mia")], "{term}");
    }
    assert_eq!(ids("q=lovelace").await, [team.email("ada")]);
    // The e-mail address is still found, and what she is no longer called is not.
    assert_eq!(ids("q=MIA").await, [team.email("mia")]);
    let name = json!({ "first_name": null, "last_name": "Byron" });
    team.mia.patch("/api/v1/users/me", name).await.expect(200);
    assert_eq!((ids("q=leila").await, ids("q=byron").await), (vec![], vec![json!(team.email("mia"))]));
    victor.get(&format!("{MEMBERS}?q={}", "a".repeat(101))).await.problem(422, "VALIDATION_FAILED");
    // Neither of these is a wild card.
    assert_eq!((ids("q=%25").await, ids("q=m_a").await), (vec![], vec![]));
    assert_eq!(ids("status=suspended").await, Vec::<Value>::new());
    victor.get(&format!("{MEMBERS}?status=gone")).await.problem(422, "VALIDATION_FAILED");
    victor.get(&format!("{MEMBERS}?cursor={next}")).await.problem(422, "INVALID_CURSOR");
}

#[tokio::test]
async fn a_member_has_the_versions_of_the_membership_and_the_user() {
    let team = Team::start().await;
    let (adam, mia) = (team.adam.clone(), team.mia.clone());
    let path = path(&adam, "mia").await;
    let seen = adam.get(&path).await;
    seen.expect(200);
    let tag = seen.header("etag").unwrap().to_owned();
    adam.get(&path).header("if-none-match", &tag).await.expect(304);
    // The list has it too, so that no request for each member is needed before a change.
    assert_eq!(format!("\"{}\"", member(&adam, "mia").await["version"].as_str().unwrap()), tag);
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
    let team = Team::start().await;
    let (adam, victor) = (team.adam.clone(), team.victor.clone());
    let projects = "/api/v1/organizations/{org}/projects";
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
    assert_eq!(team.event_details("member.updated").await.len(), 2, "what changes nothing leaves no trace");
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
    let team = Team::start().await;
    let (adam, mia) = (team.adam.clone(), team.mia.clone());
    let org = "/api/v1/organizations/{org}";
    mia.get(org).await.expect(200);
    let path = path(&adam, "mia").await;
    let suspended = adam.patch(&path, json!({ "status": "suspended" })).await.expect(200);
    assert_eq!((&suspended["status"], keys(&suspended)), (&json!("suspended"), vec!["member"]));
    mia.get(org).await.problem(403, "MEMBERSHIP_SUSPENDED");
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
    let team = Team::start().await;
    let (adam, mia, victor) = (team.adam.clone(), team.mia.clone(), team.victor.clone());
    let path = path(&adam, "mia").await;
    mia.get("/api/v1/organizations/{org}").await.expect(200);
    victor.delete(&path).await.problem(403, "FORBIDDEN");
    adam.delete(&path).header("if-match", "\"9.9\"").await.problem(412, "PRECONDITION_FAILED");
    adam.delete(&path).await.expect(204);
    mia.get("/api/v1/organizations/{org}").await.problem(404, "NOT_FOUND");
    adam.delete(&path).await.problem(404, "NOT_FOUND");
    adam.patch(&path, json!({ "roles": ["member"] })).await.problem(404, "NOT_FOUND");
    let listed = adam.get(MEMBERS).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    let removed = adam.get(&format!("{MEMBERS}?status=removed")).await.expect(200)["data"][0].clone();
    assert_eq!((&removed["status"], &removed["roles"]), (&json!("removed"), &json!([])));
    assert!(removed["removed_at"].is_string());
    assert_eq!(adam.get(&path).await.expect(200), removed);
    let mine = mia.get("/api/v1/users/me/organizations").await.expect(200);
    assert!(mine["data"].as_array().unwrap().iter().all(|place| place["organization"]["slug"] != *team.slug));
}

#[tokio::test]
async fn a_dry_run_shows_the_effect_without_the_change() {
    let team = Team::start().await;
    let adam = team.adam.clone();
    let path = path(&adam, "mia").await;
    let before = adam.get(&path).await.expect(200);
    let preview =
        adam.patch(&format!("{path}?dry_run=true"), json!({ "roles": ["viewer"] })).await.expect(200);
    let effect = &preview["effects"][0];
    assert_eq!((&effect["member_id"], &effect["gains"]), (&before["id"], &json!([])));
    assert!(effect["loses"].as_array().unwrap().contains(&json!("tasks:create")), "{preview}");
    assert_eq!(effect["display_name"], before["user"]["display_name"]);
    let preview =
        adam.patch(&format!("{path}?dry_run=true"), json!({ "status": "suspended" })).await.expect(200);
    assert_eq!(preview["effects"][0]["loses"].as_array().unwrap().len(), 14);
    assert_eq!(adam.get(&path).await.expect(200), before);
    // Refused as the change itself would be.
    adam.patch(&format!("{path}?dry_run=true"), json!({ "roles": ["owner"] }))
        .await
        .problem(403, "OWNER_PROTECTED");
    assert_eq!(team.event_details("member.updated").await.len(), 0);
}

#[tokio::test]
async fn an_organization_keeps_an_owner() {
    let team = Team::start().await;
    let (ada, adam) = (team.owner.clone(), team.adam.clone());
    let own = path(&ada, "ada").await;
    ada.patch(&own, json!({ "roles": ["admin"] })).await.problem(409, "LAST_OWNER");
    ada.patch(&own, json!({ "status": "suspended" })).await.problem(409, "LAST_OWNER");
    ada.delete(&own).await.problem(409, "LAST_OWNER");
    for attempt in [json!({ "roles": ["member"] }), json!({ "status": "suspended" })] {
        adam.patch(&own, attempt).await.problem(403, "OWNER_PROTECTED");
    }
    adam.delete(&own).await.problem(403, "OWNER_PROTECTED");
    let adams = path(&ada, "adam").await;
    adam.patch(&adams, json!({ "roles": ["owner"] })).await.problem(403, "OWNER_PROTECTED");
    ada.patch(&adams, json!({ "roles": ["owner"] })).await.expect(200);
    adam.patch(&own, json!({ "roles": ["admin"] })).await.expect(200);
    ada.patch(&adams, json!({ "roles": ["admin"] })).await.problem(403, "OWNER_PROTECTED");
}

/// OR8: at no time is there none.
#[tokio::test]
async fn two_owners_who_demote_each_other_leave_one() {
    let team = Team::start().await;
    let (ada, adam) = (team.owner.clone(), team.adam.clone());
    let (path_of_ada, path_of_adam) = (path(&ada, "ada").await, path(&ada, "adam").await);
    let database = team.server.database().await;
    let owners = &format!(
        "SELECT count(*) FROM member_roles h JOIN roles r ON r.id = h.role_id WHERE r.key = 'owner' AND h.{}",
        team.own_rows()
    );
    for _ in 0..32 {
        // The remaining owner makes the other one an owner again.
        let is_left = ada.get(&path_of_ada).await.expect(200)["roles"][0]["key"] == "owner";
        let (owner, other) = if is_left { (&ada, &path_of_adam) } else { (&adam, &path_of_ada) };
        owner.patch(other, json!({ "roles": ["owner"] })).await.expect(200);
        assert_eq!(database.scalar(owners).await, 2);
        let replies = concurrently(2, |number| {
            let (caller, path) = if number == 0 { (&ada, &path_of_adam) } else { (&adam, &path_of_ada) };
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
    let team = Team::start().await;
    let ada = team.owner.clone();
    let adams = path(&ada, "adam").await;
    team.database().await.backdate_logins(&team.own_users()).await;
    ada.patch(&adams, json!({ "roles": ["owner"] })).await.problem(403, "REAUTH_REQUIRED");
    // A preview changes nothing, so it needs none.
    let preview =
        ada.patch(&format!("{adams}?dry_run=true"), json!({ "roles": ["owner"] })).await.expect(200);
    assert!(preview["effects"][0]["gains"].as_array().unwrap().contains(&json!("organization:delete")));
    ada.patch(&adams, json!({ "roles": ["member"] })).await.expect(200);
}

//! Steps of users in their organizations, and of a superuser with a reason.

use insula_tests::{Builder, Client, PASSWORD, Server};
use serde_json::{Value, json};

use super::walk::{Walk, text};

const ORG: &str = "acme";
const ROOT: &str = "/api/v1/organizations/acme";

pub(crate) async fn walk(server: Builder) -> Walk {
    let (server, superuser) = server.start_with_superuser().await;
    let ada = server.client().register("ada@example.com").await;
    let mut walk = Walk::through(&server).await;
    let founded = json!({ "name": "Acme", "slug": ORG });
    let acme = text(&walk.step(&ada, "createOrganization", &[], founded).await, "id");
    let changes = json!({ "name": "Acme & Sons", "description": "Anvils" });
    walk.step(&ada, "updateOrganization", &[ORG], changes).await;
    walk.step(&ada, "updateSettings", &[ORG], json!({ "currency": "USD", "week_start": "sunday" })).await;

    projects(&mut walk, &ada).await;
    time(&mut walk, &ada).await;
    tasks(&mut walk, &ada).await;
    let eve = invitations(&mut walk, &server, &ada).await;
    roles(&mut walk, &ada, &eve).await;
    transfers(&mut walk, &ada, &eve).await;
    inside(&mut walk, &superuser.with("x-platform-access", "Ticket 4711")).await;
    endings(&mut walk, &server, &ada, &eve).await;
    walk.step(&eve, "updateOrganization.slug", &[&acme], json!({ "slug": "anvils" })).await;
    walk.finish(server).await
}

async fn projects(walk: &mut Walk, ada: &Client) {
    let project =
        walk.step(ada, "createProject", &[ORG], json!({ "code": "ENGINE", "name": "Engine" })).await;
    let at = [ORG, &text(&project, "id")];
    walk.step(ada, "updateProject", &at, json!({ "name": "Motor", "color": "#1f6feb" })).await;
    walk.step(ada, "deleteProject", &at, Value::Null).await;
    walk.step(ada, "restoreProject", &at, Value::Null).await;
}

async fn time(walk: &mut Walk, ada: &Client) {
    let draft = json!({ "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T09:00:00Z" });
    let entry = walk.step(ada, "createTimeEntry", &[ORG], draft).await;
    let at = [ORG, &text(&entry, "id")];
    walk.step(ada, "updateTimeEntry", &at, json!({ "notes": "Drew the mill", "billable": true })).await;
    walk.step(ada, "deleteTimeEntry", &at, Value::Null).await;
    walk.step(ada, "restoreTimeEntry", &at, Value::Null).await;
    let hours = "2026-03-03T08:00:00Z,2026-03-03T09:00:00Z\n".repeat(2);
    walk.step(ada, "importTimeEntries", &[ORG], json!(format!("started_at,ended_at\n{hours}"))).await;
    walk.step(ada, "startTimer", &[ORG], json!({ "activity": "Design" })).await;
    walk.step(ada, "stopTimer", &[ORG], Value::Null).await;
    let until = json!({ "locked_until": "2026-01-01T00:00:00Z" });
    walk.step(ada, "setPeriodLock", &[ORG], until.clone()).await;
    walk.again(ada, "setPeriodLock", &[ORG], until).await;
    walk.step(ada, "setPeriodLock.none", &[ORG], json!({ "locked_until": null })).await;
}

async fn tasks(walk: &mut Walk, ada: &Client) {
    let draft = json!({ "code": "MILL", "name": "Mill", "is_private": true });
    let project = text(&ada.post(&format!("{ROOT}/projects"), draft).await.expect(201), "id");
    let (at, me) = ([ORG, &*project], member(ada, "ada").await);
    walk.step(ada, "setProjectMembers", &at, json!({ "members": [me] })).await;
    walk.again(ada, "setProjectMembers", &at, json!({ "members": [me] })).await;
    walk.step(ada, "archiveProject", &at, Value::Null).await;
    walk.again(ada, "archiveProject", &at, Value::Null).await;
    walk.step(ada, "unarchiveProject", &at, Value::Null).await;
    walk.again(ada, "unarchiveProject", &at, Value::Null).await;

    let tag = text(&walk.step(ada, "createTag", &[ORG], json!({ "name": "urgent" })).await, "id");
    walk.step(ada, "updateTag", &[ORG, &tag], json!({ "name": "dear" })).await;
    let draft = json!({ "title": "Oil it", "project_id": project, "assignee_id": me, "tags": [tag] });
    let task = text(&walk.step(ada, "createTask", &[ORG], draft).await, "id");
    let changes = json!({ "status": "done", "tags": [], "description": "All of it" });
    walk.step(ada, "updateTask", &[ORG, &task], changes).await;
    walk.step(ada, "deleteTask", &[ORG, &task], Value::Null).await;
    walk.step(ada, "restoreTask", &[ORG, &task], Value::Null).await;
    // Of three, two are made.
    let drafts = [json!({ "title": "A" }), json!({ "title": " " }), json!({ "title": "B", "tags": [tag] })];
    let made = walk.step(ada, "createTasks", &[ORG], json!({ "tasks": drafts })).await;
    let tagged = text(&made["data"][2], "id");
    ada.patch(&format!("{ROOT}/tasks/{tagged}"), json!({ "tags": [] })).await.expect(200);
    walk.step(ada, "deleteTag", &[ORG, &tag], Value::Null).await;
}

/// Brings in Eve (admin), Bob and Nina (viewers).
async fn invitations(walk: &mut Walk, server: &Server, ada: &Client) -> Client {
    let anybody = server.client();
    let eve = anybody.register("eve@example.com").await;
    let for_whom =
        |name: &str, role: &str| json!({ "email": format!("{name}@example.com"), "roles": [role] });
    let sent = walk.step(ada, "createInvitation", &[ORG], for_whom("eve", "admin")).await;
    walk.step(ada, "resendInvitation", &[ORG, &text(&sent, "id")], Value::Null).await;
    let token = server.invitation_token("eve@example.com", 2).await;
    walk.step(&anybody, "previewInvitation", &[], json!({ "token": token })).await;
    walk.step(&eve, "acceptInvitation", &[], json!({ "token": token })).await;

    // Eve is a member already: of four, three are invited.
    let many = ["nina", "bob", "eve", "carl"].map(|name| for_whom(name, "viewer"));
    walk.step(ada, "createInvitations", &[ORG], json!({ "invitations": many })).await;
    let token = server.invitation_token("nina@example.com", 1).await;
    let newcomer = json!({ "token": token, "password": PASSWORD, "first_name": "Antonina" });
    walk.step(&anybody, "acceptInvitation.newcomer", &[], newcomer).await;
    let token = server.invitation_token("carl@example.com", 1).await;
    walk.step(&anybody, "declineInvitation", &[], json!({ "token": token })).await;

    // Kim answers without the links, and leaves again.
    let kim = anybody.register("kim@example.com").await;
    let invite = async || text(&ada.invite(ORG, "kim@example.com", &["viewer"]).await.expect(201), "id");
    walk.step(&kim, "declineMyInvitation", &[&invite().await], Value::Null).await;
    walk.step(&kim, "acceptMyInvitation", &[&invite().await], Value::Null).await;
    kim.request("POST", &format!("{ROOT}/leave")).await.expect(204);

    // Bob's e-mail address is not verified.
    anybody.register("bob@example.com").await;
    walk.database()
        .execute("UPDATE users SET email_verified_at = NULL WHERE email = 'bob@example.com'")
        .await;
    let token = server.invitation_token("bob@example.com", 1).await;
    let claim = json!({ "token": token, "password": PASSWORD });
    walk.step(&anybody, "acceptInvitation.unproved", &[], claim).await;

    ada.invite(ORG, "late@example.com", &["viewer"]).await.expect(201);
    let over = "UPDATE invitations SET expires_at = created_at WHERE email = 'late@example.com'";
    assert_eq!(walk.database().execute(over).await, 1);
    let anew = walk.step(ada, "createInvitation.anew", &[ORG], for_whom("late", "viewer")).await;
    let at = [ORG, &text(&anew, "id")];
    walk.step(ada, "revokeInvitation", &at, Value::Null).await;
    walk.again(ada, "revokeInvitation", &at, Value::Null).await;
    eve
}

/// The member with this address.
async fn member(owner: &Client, name: &str) -> String {
    let members = owner.get(&format!("{ROOT}/members")).await.expect(200);
    let members = members["data"].as_array().unwrap().iter();
    let mut matching = members.filter(|member| member["user"]["email"] == format!("{name}@example.com"));
    text(matching.next().unwrap(), "id")
}

async fn roles(walk: &mut Walk, ada: &Client, eve: &Client) {
    let draft = json!({ "name": "Lead", "permissions": ["projects:read"] });
    let role = walk.step(ada, "createRole", &[ORG], draft).await;
    let at = [ORG, &text(&role, "id")];
    walk.step(ada, "updateRole", &at, json!({ "name": "Chief", "description": "Sees to it" })).await;
    let permissions = json!({ "permissions": ["projects:read", "projects:create"] });
    walk.step(ada, "setRolePermissions", &at, permissions.clone()).await;
    walk.again(ada, "setRolePermissions", &at, permissions).await;

    let (bob, nina) = (member(ada, "bob").await, member(ada, "nina").await);
    walk.step(ada, "updateMember", &[ORG, &bob], json!({ "roles": [role["key"]] })).await;
    let both = json!({ "roles": [role["key"]], "status": "suspended" });
    walk.step(eve, "updateMember.both", &[ORG, &nina], both).await;
    let question = json!({ "permission": "projects:create", "member_id": bob });
    walk.step(ada, "checkPermission", &[ORG], question.clone()).await;
    walk.step(ada, "explainPermission", &[ORG], question).await;
    walk.step(ada, "deleteRole", &[at[0], at[1], "?reassign_to=viewer"], Value::Null).await;
    walk.step(ada, "removeMember", &[ORG, &bob], Value::Null).await;
}

/// Eve becomes the owner, and Ada an admin.
async fn transfers(walk: &mut Walk, ada: &Client, eve: &Client) {
    let to_eve = json!({ "member_id": member(ada, "eve").await });
    let offer = || ada.post(&format!("{ROOT}/transfer"), to_eve.clone());
    walk.step(ada, "offerOrganization", &[ORG], to_eve.clone()).await;
    walk.step(ada, "cancelTransfer", &[ORG], Value::Null).await;
    offer().await.expect(201);
    walk.step(eve, "cancelTransfer.declined", &[ORG], Value::Null).await;
    offer().await.expect(201);
    walk.database()
        .execute("UPDATE owner_transfers SET expires_at = created_at WHERE status = 'pending'")
        .await;
    walk.step(ada, "offerOrganization.anew", &[ORG], to_eve.clone()).await;
    walk.step(eve, "acceptTransfer", &[ORG], Value::Null).await;
}

/// The organization's log records the access, also for reads.
async fn inside(walk: &mut Walk, superuser: &Client) {
    let draft = json!({ "code": "ODD", "name": "Odd" });
    let project = walk.step(superuser, "createProject.operator", &[ORG], draft).await;
    let at = [ORG, &text(&project, "id")];
    walk.step(superuser, "updateProject.operator", &at, json!({ "name": "Even" })).await;
    let question = json!({ "permission": "projects:read", "member_id": member(superuser, "eve").await });
    walk.step(superuser, "checkPermission.operator", &[ORG], question).await;
    let nina = member(superuser, "nina").await;
    walk.step(superuser, "updateMember.operator", &[ORG, &nina], json!({ "status": "active" })).await;
}

async fn endings(walk: &mut Walk, server: &Server, ada: &Client, eve: &Client) {
    ada.post(&format!("{ROOT}/timer/start"), json!({})).await.expect(201);
    walk.step(ada, "leaveOrganization", &[ORG], Value::Null).await;
    walk.step(eve, "deleteOrganization", &[ORG], Value::Null).await;
    walk.step(eve, "restoreOrganization", &[ORG], Value::Null).await;
    // Without e-mail an address changes at once.
    let bob = server.client().log_in("bob@example.com", PASSWORD).await;
    walk.step(&bob, "changeMyEmail.at-once", &[], json!({ "email": "rob@example.com" })).await;
}

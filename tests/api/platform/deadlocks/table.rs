//! Every operation that changes an organization, to be run against every other.

use insula_tests::Request;
use serde_json::json;

use super::world::World;

/// Asks for an operation; the number is never the same, for what is to be new.
type Ask = fn(&World, usize) -> Request;

/// Every operation, and the cases of it that lock other things.
pub(super) const TABLE: &[(&str, Ask)] = &[
    // The organization.
    ("updateOrganization", |w, n| w.change("", json!({ "description": format!("Number {n}") }))),
    ("updateOrganization.slug", |w, n| w.change("", json!({ "slug": w.fresh("acme", n) }))),
    ("updateSettings", |w, n| w.change("/settings", json!({ "time_entry_max_hours": 12 + n % 8 }))),
    ("deleteOrganization", |w, _| w.ada.delete(&w.at("")).header("if-match", "*")),
    ("restoreOrganization", |w, _| w.post("/restore", json!(null))),
    ("updateAnyOrganization", |w, n| {
        w.superuser.patch(&w.admin(), json!({ "name": format!("Acme {n}") })).header("if-match", "*")
    }),
    ("suspendOrganization", |w, _| w.superuser.request("POST", &format!("{}/suspend", w.admin()))),
    ("resumeOrganization", |w, _| w.superuser.request("POST", &format!("{}/resume", w.admin()))),
    ("deleteAnyOrganization", |w, _| w.superuser.delete(&w.admin()).header("if-match", "*")),
    ("restoreAnyOrganization", |w, _| w.superuser.request("POST", &format!("{}/restore", w.admin()))),
    ("createOrganization", |w, n| {
        w.ada.post("/api/v1/organizations", json!({ "name": "Other", "slug": w.fresh("other", n) }))
    }),
    ("createOrganizationFor", |w, n| {
        let draft = json!({ "name": "Third", "slug": w.fresh("third", n), "owner_email": w.email("eve") });
        w.superuser.post("/api/v1/admin/organizations", draft)
    }),
    // Users.
    ("updateMember", |w, n| {
        let role = ["lead", "viewer"][n % 2];
        w.change(&format!("/members/{}", w.mia), json!({ "roles": [role, "member"] }))
    }),
    ("updateMember.suspended", |w, n| {
        let status = ["suspended", "active"][n / 2 % 2];
        w.change(&format!("/members/{}", w.mia), json!({ "status": status }))
    }),
    ("removeMember", |w, _| w.ada.delete(&w.at(&format!("/members/{}", w.mia))).header("if-match", "*")),
    ("leaveOrganization", |w, _| w.max_client.request("POST", &w.at("/leave"))),
    ("createInvitation", |w, n| w.post("/invitations", w.invitation(n))),
    ("createInvitations", |w, n| {
        w.post("/invitations/bulk", json!({ "invitations": [w.invitation(n + 2), w.invitation(n + 1)] }))
    }),
    ("resendInvitation", |w, _| w.post(&format!("/invitations/{}/resend", w.invited), json!(null))),
    ("revokeInvitation", |w, _| w.ada.delete(&w.at(&format!("/invitations/{}", w.invited)))),
    ("acceptInvitation", |w, _| w.nina.post("/api/v1/invitations/accept", json!({ "token": w.token }))),
    ("declineInvitation", |w, _| w.nina.post("/api/v1/invitations/decline", json!({ "token": w.token }))),
    ("acceptMyInvitation", |w, _| w.nina.request("POST", &w.received("accept"))),
    ("declineMyInvitation", |w, _| w.nina.request("POST", &w.received("decline"))),
    ("createRole", |w, n| {
        w.post("/roles", json!({ "name": format!("Role {n}"), "permissions": ["tasks:read"] }))
    }),
    ("updateRole", |w, n| {
        w.change(&format!("/roles/{}", w.role), json!({ "description": format!("Number {n}") }))
    }),
    ("setRolePermissions", |w, n| {
        let permission = ["tasks:read", "projects:read"][n % 2];
        let permissions = json!({ "permissions": [permission] });
        w.ada.put(&w.at(&format!("/roles/{}/permissions", w.role)), permissions).header("if-match", "*")
    }),
    ("deleteRole", |w, _| {
        let path = w.at(&format!("/roles/{}?reassign_to=viewer", w.role));
        w.ada.delete(&path).header("if-match", "*")
    }),
    ("offerOrganization", |w, _| w.post("/transfer", json!({ "member_id": w.eve }))),
    ("acceptTransfer", |w, _| w.eve_client.request("POST", &w.at("/transfer/accept"))),
    ("cancelTransfer", |w, _| w.post("/transfer/cancel", json!(null))),
    // Accounts, which take their memberships along.
    ("deactivateUser", |w, _| w.superuser.request("POST", &format!("{}/deactivate", w.zoe()))),
    ("activateUser", |w, _| w.superuser.request("POST", &format!("{}/activate", w.zoe()))),
    ("deleteUser", |w, _| w.superuser.delete(&w.zoe())),
    ("restoreUser", |w, _| w.superuser.request("POST", &format!("{}/restore", w.zoe()))),
    ("changeUsers", |w, n| {
        let action = ["deactivate", "activate"][n / 2 % 2];
        let body = json!({ "action": action, "ids": [w.zoe_user, w.max_user] });
        w.superuser.post("/api/v1/admin/users/bulk", body)
    }),
    ("updateUser", |w, n| {
        w.superuser.patch(&w.zoe(), json!({ "first_name": format!("Zoe {n}") })).header("if-match", "*")
    }),
    ("updateMe", |w, n| {
        w.zoe_client
            .patch("/api/v1/users/me", json!({ "last_name": format!("Number {n}") }))
            .header("if-match", "*")
    }),
    ("deleteMe", |w, _| w.zoe_client.delete("/api/v1/users/me")),
    // Work.
    ("createProject", |w, n| {
        w.post("/projects", json!({ "code": w.fresh("P", n), "name": "Engine", "is_private": true }))
    }),
    ("updateProject", |w, n| {
        w.change(&format!("/projects/{}", w.project), json!({ "code": w.fresh("Q", n) }))
    }),
    ("deleteProject", |w, _| {
        w.ada.delete(&w.at(&format!("/projects/{}", w.project))).header("if-match", "*")
    }),
    ("restoreProject", |w, _| w.post(&format!("/projects/{}/restore", w.gone_project), json!(null))),
    ("archiveProject", |w, _| w.ask("POST", &format!("/projects/{}/archive", w.project))),
    ("unarchiveProject", |w, _| w.ask("POST", &format!("/projects/{}/unarchive", w.project))),
    ("setProjectMembers", |w, n| {
        let mut team = [&w.mia, &w.max, &w.ada_member, &w.zoe_member];
        team.rotate_left(n % 4);
        let body = json!({ "members": team[..2] });
        w.ada.put(&w.at(&format!("/projects/{}/members", w.project)), body).header("if-match", "*")
    }),
    ("createTag", |w, n| w.post("/tags", json!({ "name": w.fresh("tag", n) }))),
    ("updateTag", |w, n| w.change(&format!("/tags/{}", w.tag), json!({ "name": w.fresh("name", n) }))),
    ("deleteTag", |w, _| w.ada.delete(&w.at(&format!("/tags/{}", w.tag))).header("if-match", "*")),
    ("createTask", |w, _| w.post("/tasks", w.task_draft(&w.mia))),
    ("createTasks", |w, n| {
        let mut tasks = [w.task_draft(&w.max), w.task_draft(&w.mia), w.task_draft(&w.ada_member)];
        tasks.rotate_left(n % 3);
        w.post("/tasks/bulk", json!({ "tasks": tasks }))
    }),
    ("updateTask", |w, n| {
        let (member, tags) = ([&w.mia, &w.max][n / 2 % 2], if n % 3 == 0 { vec![] } else { vec![&w.tag] });
        w.change(&format!("/tasks/{}", w.task), json!({ "assignee_id": member, "tags": tags }))
    }),
    ("deleteTask", |w, _| w.ada.delete(&w.at(&format!("/tasks/{}", w.task))).header("if-match", "*")),
    ("restoreTask", |w, _| w.post(&format!("/tasks/{}/restore", w.gone_task), json!(null))),
    // Time.
    ("createTimeEntry", |w, n| {
        // Both copies of it are one request, sent twice.
        let key = format!("entry-{}", n / 8);
        w.post("/time-entries", w.entry_draft(None)).header("idempotency-key", &key)
    }),
    ("createTimeEntry.others", |w, _| w.post("/time-entries", w.entry_draft(Some(&w.mia)))),
    ("updateTimeEntry", |w, n| {
        let tags = if n % 3 == 0 { vec![] } else { vec![&w.tag] };
        w.change(&format!("/time-entries/{}", w.entry), json!({ "notes": format!("{n}"), "tags": tags }))
    }),
    ("deleteTimeEntry", |w, _| {
        w.ada.delete(&w.at(&format!("/time-entries/{}", w.entry))).header("if-match", "*")
    }),
    ("restoreTimeEntry", |w, _| w.post(&format!("/time-entries/{}/restore", w.gone_entry), json!(null))),
    ("importTimeEntries", |w, n| {
        w.ada.request("POST", &w.at("/imports/time-entries")).body("text/csv", w.file(n))
    }),
    ("startTimer", |w, _| w.post("/timer/start", json!({ "project_id": w.project }))),
    ("stopTimer", |w, _| w.ask("POST", "/timer/stop")),
    ("setPeriodLock", |w, n| {
        let body = json!({ "locked_until": format!("19{:02}-01-01T00:00:00Z", 80 + n % 20) });
        w.ada.put(&w.at("/period-lock"), body).header("if-match", "*")
    }),
];

/// What changes nothing that is an organization's: of the platform, of accounts, of sessions; and what only asks.
pub(super) const ELSEWHERE: &[&str] = &[
    "resendEmail",
    "deleteJob",
    "cancelJob",
    "retryJob",
    "pauseQueue",
    "resumeQueue",
    "createUser",
    "revokeUserSessions",
    "resendVerification",
    "undoEmailChange",
    "verifyEmail",
    "logIn",
    "logOut",
    "logOutEverywhere",
    "forgotPassword",
    "resetPassword",
    "reauthenticate",
    "refresh",
    "register",
    "previewInvitation",
    "checkPermission",
    "explainPermission",
    "changeMyEmail",
    "changeMyPassword",
    "revokeMyOtherSessions",
    "revokeMySession",
];

//! An organization with every kind of row that operations change, repeatedly.

use insula_tests::{Client, Request, Server, TestDatabase, id};
use serde_json::{Value, json};

/// The organization, its users and its things. Everybody is addressed by an id: names change.
pub(super) struct World {
    number: usize,
    database: TestDatabase,
    org: String,
    pub(super) superuser: Client,
    /// The owner.
    pub(super) ada: Client,
    /// An admin, the recipient of the ownership transfer.
    pub(super) eve_client: Client,
    pub(super) max_client: Client,
    pub(super) zoe_client: Client,
    /// Is invited.
    pub(super) nina: Client,
    pub(super) token: String,
    pub(super) invited: String,
    pub(super) ada_member: String,
    pub(super) eve: String,
    /// Holds the role of the organization's own.
    pub(super) mia: String,
    pub(super) max: String,
    pub(super) zoe_member: String,
    pub(super) zoe_user: String,
    pub(super) max_user: String,
    pub(super) role: String,
    pub(super) project: String,
    pub(super) gone_project: String,
    pub(super) tag: String,
    pub(super) task: String,
    pub(super) gone_task: String,
    pub(super) entry: String,
    pub(super) gone_entry: String,
    /// Ada's timer, which runs if a request stops it.
    running: String,
    /// Those of Mia, Max and Zoe, which always run.
    others: [String; 3],
    offer: String,
}

impl World {
    pub(super) async fn new(server: &Server, superuser: &Client, number: usize) -> Self {
        let (database, slug) = (server.database().await, format!("world-{number}"));
        let email = |name: &str| format!("{name}{number}@example.com");
        let register = async |name: &str| server.client().register(&email(name)).await;
        let ada = register("ada").await;
        let org = ada.create_organization(&slug).await.id;
        let join = async |name: &str| {
            let client = register(name).await;
            database.join(&slug, &email(name), "member").await;
            (client, database.member_id(&slug, &email(name)).await)
        };
        let ((eve_client, eve), (mia_client, mia)) = (join("eve").await, join("mia").await);
        let ((max_client, max), (zoe_client, zoe_member)) = (join("max").await, join("zoe").await);
        let nina = register("nina").await;
        let at = |path: &str| format!("/api/v1/organizations/{org}{path}");
        let made = async |path: &str, draft: Value| id(&ada.post(&at(path), draft).await.expect(201));
        let role = made("/roles", json!({ "name": "Lead", "permissions": ["tasks:read"] })).await;
        let project = made("/projects", json!({ "code": "ENGINE", "name": "Engine" })).await;
        let gone_project = made("/projects", json!({ "code": "GONE", "name": "Gone" })).await;
        let tag = made("/tags", json!({ "name": "shared" })).await;
        let draft = json!({ "title": "Oil it", "project_id": project, "assignee_id": mia, "tags": [tag] });
        let (task, gone_task) = (made("/tasks", draft.clone()).await, made("/tasks", draft).await);
        let hour = json!({ "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T09:00:00Z" });
        let (entry, gone_entry) =
            (made("/time-entries", hour.clone()).await, made("/time-entries", hour).await);
        let invited = made("/invitations", json!({ "email": email("nina"), "roles": ["lead"] })).await;
        let token = server.invitation_token(&email("nina"), 1).await;
        let offer = made("/transfer", json!({ "member_id": eve })).await;
        let ada_member = database.member_id(&slug, &email("ada")).await;
        let start = async |who: &Client| id(&who.post(&at("/timer/start"), json!({})).await.expect(201));
        let running = start(&ada).await;
        let others = [start(&mia_client).await, start(&max_client).await, start(&zoe_client).await];
        let me = async |who: &Client| id(&who.get("/api/v1/users/me").await.expect(200));
        let (zoe_user, max_user) = (me(&zoe_client).await, me(&max_client).await);
        Self {
            number,
            database,
            superuser: superuser.clone(),
            org,
            ada,
            eve_client,
            max_client,
            zoe_client,
            nina,
            token,
            invited,
            ada_member,
            eve,
            mia,
            max,
            zoe_member,
            zoe_user,
            max_user,
            role,
            project,
            gone_project,
            tag,
            task,
            gone_task,
            entry,
            gone_entry,
            running,
            others,
            offer,
        }
    }

    /// Makes everything as it was, for two rows to meet: what one of them ends is there, and what one begins is not.
    pub(super) async fn reset(&self, rows: &[&str; 2]) {
        let id = |text: &str| self.database.id(text);
        let any = |names: &[&str]| rows.iter().any(|row| names.contains(row));
        let null = |column: &str, is_set: bool| match is_set {
            true => format!("{column} = created_at"),
            false => format!("{column} = NULL"),
        };
        let (org, zoe, tag) = (id(&self.org), id(&self.zoe_user), id(&self.tag));
        let (ada, eve, mia) = (id(&self.ada_member), id(&self.eve), id(&self.mia));
        let is_gone = any(&["restoreUser"]) && !any(&["deleteUser", "deleteMe"]);
        let grace = if is_gone { "purge_after = '2999-01-01T00:00:00+00:00'" } else { "purge_after = NULL" };
        let is_shut_out = any(&["activateUser"]) && !any(&["deactivateUser", "changeUsers"]);
        let is_closed = rows.iter().all(|row| row.starts_with("restore"));
        let runs = any(&["stopTimer"]) && !any(&["startTimer", "restoreTimeEntry"]);
        let is_offered = any(&["acceptTransfer", "cancelTransfer"]) && !any(&["offerOrganization"]);
        let offered = if is_offered { "pending" } else { "cancelled" };
        let suspended = if any(&["resumeOrganization"]) && self.number == 0 { "suspended" } else { "active" };
        let mut running: Vec<_> = self.others.iter().map(|entry| id(entry)).collect();
        running.extend(runs.then(|| id(&self.running)));
        let running = running.join(", ");
        self.database
            .execute_all(&[
                format!(
                    "UPDATE organizations SET {}, purge_after = {}, status = '{suspended}' WHERE id = {org}",
                    null("deleted_at", is_closed),
                    if is_closed { "'2999-01-01T00:00:00+00:00'" } else { "NULL" }
                ),
                format!(
                    "UPDATE users SET {}, {grace}, is_active = {} WHERE id = {zoe}",
                    null("deleted_at", is_gone),
                    !is_shut_out
                ),
                format!("UPDATE users SET is_active = true WHERE id = {}", id(&self.max_user)),
                format!(
                    "UPDATE organizations SET {}, {grace} WHERE kind = 'personal' AND id IN
                     (SELECT organization_id FROM members WHERE user_id = {zoe})",
                    null("deleted_at", is_gone)
                ),
                format!(
                    "UPDATE sessions SET revoked_at = NULL, revoke_reason = NULL WHERE user_id IN ({zoe}, {})",
                    id(&self.max_user)
                ),
                format!(
                    "UPDATE members SET status = 'active', removed_at = NULL WHERE organization_id = {org}
                     AND id IN ({ada}, {eve}, {mia}, {}, {})",
                    id(&self.max),
                    id(&self.zoe_member)
                ),
                format!(
                    "UPDATE members SET status = 'removed', removed_at = joined_at WHERE organization_id = {org}
                     AND id NOT IN ({ada}, {eve}, {mia}, {}, {})",
                    id(&self.max),
                    id(&self.zoe_member)
                ),
                format!("DELETE FROM member_roles WHERE organization_id = {org}"),
                format!("UPDATE roles SET deleted_at = NULL WHERE id = {}", id(&self.role)),
                format!(
                    "INSERT INTO member_roles (id, organization_id, member_id, role_id, created_at)
                     SELECT m.id, m.organization_id, m.id, r.id, m.created_at FROM members m
                     JOIN roles r ON r.organization_id = m.organization_id AND r.key = CASE
                       WHEN m.id = {ada} THEN 'owner' WHEN m.id = {eve} THEN 'admin'
                       WHEN m.id = {mia} THEN 'lead' ELSE 'member' END
                     WHERE m.organization_id = {org} AND m.status = 'active'"
                ),
                format!(
                    "UPDATE invitations SET status = 'pending' WHERE id = {} AND NOT EXISTS (SELECT 1 FROM members m
                     JOIN users u ON u.id = m.user_id WHERE m.organization_id = {org} AND m.status <> 'removed'
                     AND u.email_canonical = 'nina{}@example.com')",
                    id(&self.invited),
                    self.number
                ),
                format!(
                    "UPDATE one_time_tokens SET used_at = NULL WHERE id =
                     (SELECT id FROM one_time_tokens WHERE subject_id = {} ORDER BY id LIMIT 1)",
                    id(&self.invited)
                ),
                format!(
                    "UPDATE owner_transfers SET status = 'cancelled' WHERE organization_id = {org} AND id <> {}",
                    id(&self.offer)
                ),
                format!("UPDATE owner_transfers SET status = '{offered}' WHERE id = {}", id(&self.offer)),
                format!(
                    "UPDATE projects SET deleted_at = NULL, {} WHERE id = {}",
                    null("archived_at", any(&["unarchiveProject"]) && !any(&["archiveProject"])),
                    id(&self.project)
                ),
                format!("UPDATE projects SET deleted_at = created_at WHERE id = {}", id(&self.gone_project)),
                format!(
                    "INSERT INTO tags (id, organization_id, name, name_key, search_key, version,
                     created_at, updated_at)
                     SELECT {tag}, id, 'shared', 'shared', 'shared', 1, created_at, created_at FROM organizations
                     WHERE id = {org} AND NOT EXISTS (SELECT 1 FROM tags WHERE id = {tag})"
                ),
                format!("DELETE FROM time_entry_tags WHERE tag_id = {tag}"),
                format!("DELETE FROM task_tags WHERE tag_id = {tag}"),
                format!("UPDATE tasks SET deleted_at = NULL WHERE id = {}", id(&self.task)),
                format!("UPDATE tasks SET deleted_at = created_at WHERE id = {}", id(&self.gone_task)),
                format!(
                    "UPDATE time_entries SET ended_at = started_at WHERE organization_id = {org} AND ended_at IS NULL"
                ),
                format!("UPDATE time_entries SET deleted_at = NULL WHERE id = {}", id(&self.entry)),
                format!("UPDATE time_entries SET deleted_at = created_at WHERE id = {}", id(&self.gone_entry)),
                format!(
                    "UPDATE time_entries SET ended_at = NULL, deleted_at = NULL WHERE id IN ({running})"
                ),
            ])
            .await;
    }

    /// A path inside of the organization.
    pub(super) fn at(&self, path: &str) -> String {
        format!("/api/v1/organizations/{}{path}", self.org)
    }

    /// The organization, as operators see it.
    pub(super) fn admin(&self) -> String {
        format!("/api/v1/admin/organizations/{}", self.org)
    }

    /// The account of Zoe, as operators see it.
    pub(super) fn zoe(&self) -> String {
        format!("/api/v1/admin/users/{}", self.zoe_user)
    }

    /// The address of one of the users.
    pub(super) fn email(&self, name: &str) -> String {
        format!("{name}{}@example.com", self.number)
    }

    /// An unused name.
    pub(super) fn fresh(&self, name: &str, number: usize) -> String {
        format!("{name}-{}-{number}", self.number)
    }

    pub(super) fn ask(&self, method: &str, path: &str) -> Request {
        self.ada.request(method, &self.at(path)).header("if-match", "*")
    }

    pub(super) fn post(&self, path: &str, body: Value) -> Request {
        match body {
            Value::Null => self.ada.request("POST", &self.at(path)),
            body => self.ada.post(&self.at(path), body),
        }
    }

    pub(super) fn change(&self, path: &str, patch: Value) -> Request {
        self.ada.patch(&self.at(path), patch).header("if-match", "*")
    }

    /// The path of Nina's answer to her invitation.
    pub(super) fn received(&self, answer: &str) -> String {
        format!("/api/v1/users/me/invitations/{}/{answer}", self.invited)
    }

    pub(super) fn invitation(&self, number: usize) -> Value {
        json!({ "email": format!("guest{}-{number}@example.com", self.number), "roles": ["lead", "viewer"] })
    }

    pub(super) fn task_draft(&self, assignee: &str) -> Value {
        json!({ "title": "Oil it", "project_id": self.project, "assignee_id": assignee, "tags": [self.tag] })
    }

    pub(super) fn entry_draft(&self, member: Option<&str>) -> Value {
        let mut draft = json!({
            "started_at": "2026-03-03T08:00:00Z", "ended_at": "2026-03-03T09:00:00Z",
            "project_id": self.project, "tags": [self.tag], "notes": "Drew it",
        });
        if let Some(member) = member {
            draft["member_id"] = member.into();
        }
        draft
    }

    /// Time of several members, in any order.
    pub(super) fn file(&self, number: usize) -> String {
        let mut members = ["ada", "mia", "max", "zoe"];
        members.rotate_left(number % 4);
        let row = |name: &str| {
            format!("2026-03-04T08:00:00Z,2026-03-04T09:00:00Z,{name}{}@example.com,there\n", self.number)
        };
        format!("started_at,ended_at,member_email,notes\n{}", members.map(row).concat())
    }

    /// Two things of a list, called `left` and `right`; their paths.
    pub(super) async fn create_two(&self, list: &str, draft: impl Fn(&str) -> Value) -> Vec<String> {
        let mut made = Vec::new();
        for name in ["left", "right"] {
            let one = id(&self.ada.post(&self.at(list), draft(name)).await.expect(201));
            made.push(self.at(&format!("{list}/{one}")));
        }
        made
    }
}

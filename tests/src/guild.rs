//! An organization with somebody of each kind: for what depends on who asks.

use serde_json::{Value, json};

use crate::{Client, Reply, Server};

/// The organization `acme`, served, and its people.
pub struct Guild {
    /// Serves it.
    pub server: Server,
    /// May do everything.
    pub owner: Client,
    /// An admin.
    pub admin: Client,
    /// A member.
    pub mia: Client,
    /// Another member.
    pub max: Client,
    /// A viewer.
    pub viewer: Client,
}

impl Guild {
    /// Makes it, on a server of its own.
    pub async fn start() -> Self {
        Self::on(Server::start().await).await
    }

    /// Makes it on this server.
    pub async fn on(server: Server) -> Self {
        let register = async |name: &str| server.client().register(&format!("{name}@example.com")).await;
        let owner = register("ada").await;
        owner.found("acme").await;
        let vault = server.vault().await;
        let join = async |name: &str, role: &str| {
            let client = register(name).await;
            vault.join("acme", &format!("{name}@example.com"), role).await;
            client
        };
        let (admin, mia) = (join("adam", "admin").await, join("mia", "member").await);
        let (max, viewer) = (join("max", "member").await, join("victor", "viewer").await);
        Self { server, owner, admin, mia, max, viewer }
    }

    /// A path inside of it, such as `/tasks`.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/organizations/acme{rest}")
    }

    /// The member that somebody is.
    pub async fn member(&self, who: &Client) -> String {
        let mine = who.get(&self.path("/me/permissions")).await.expect(200);
        mine["member_id"].as_str().expect("a member").to_owned()
    }

    /// Somebody with a role of the organization's own, which allows just this.
    pub async fn narrow(&self, name: &str, permissions: &[&str]) -> Client {
        let email = format!("{name}@example.com");
        let client = self.server.client().register(&email).await;
        self.server.vault().await.join("acme", &email, "viewer").await;
        let role = json!({ "name": name, "permissions": permissions });
        let role = self.owner.post(&self.path("/roles"), role).await.expect(201);
        let member = format!("{}/{}", self.path("/members"), self.member(&client).await);
        self.owner.patch(&member, json!({ "roles": [role["key"]] })).await.expect(200);
        client
    }

    /// Has the owner make something in one of its lists; gives its path and what it is.
    pub async fn make(&self, list: &str, draft: Value) -> (String, Value) {
        self.made(list, &self.owner.post(&self.path(list), draft).await)
    }

    /// The path of what was made in one of its lists, and what it is.
    pub fn made(&self, list: &str, reply: &Reply) -> (String, Value) {
        let body = reply.expect(201);
        (format!("{}/{}", self.path(list), body["id"].as_str().expect("an id")), body)
    }

    /// The events of this action, each as the facts it tells, the oldest first.
    pub async fn events(&self, action: &str) -> Vec<Value> {
        let events = format!("SELECT details FROM audit_events WHERE action = '{action}' ORDER BY id");
        let events = self.server.vault().await.texts(&events).await;
        events.iter().map(|event| serde_json::from_str(event).expect("facts")).collect()
    }

    /// Changes the settings of the organization.
    pub async fn settle(&self, settings: Value) {
        self.owner.patch(&self.path("/settings"), settings).header("if-match", "*").await.expect(200);
    }

    /// Adds a project; gives its id.
    pub async fn project(&self, code: &str) -> String {
        let draft = json!({ "code": code, "name": format!("Project {code}") });
        id(&self.owner.post(&self.path("/projects"), draft).await.expect(201))
    }

    /// Writes down time of `who`, with whatever else `more` says; gives the entry.
    pub async fn track(&self, who: &Client, (from, to): (&str, &str), more: Value) -> Value {
        let mut draft = json!({ "started_at": from, "ended_at": to });
        draft.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        who.post(&self.path("/time-entries"), draft).await.expect(201)
    }
}

/// The id of what an answer shows.
pub fn id(body: &Value) -> String {
    body["id"].as_str().expect("an id").to_owned()
}

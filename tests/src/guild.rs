//! An organization with somebody of each kind: for what depends on who asks.

use std::ops::Deref;

use serde_json::{Value, json};

use crate::{Acme, Client, Reply, Server};

/// An organization with its people, served.
pub struct Guild {
    acme: Acme,
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
    /// Makes it on the shared server, under a name that no other test has.
    pub async fn start() -> Self {
        Self::of(Acme::start().await).await
    }

    /// Makes `acme` on a server of its own.
    pub async fn alone() -> Self {
        Self::of(Acme::alone().await).await
    }

    /// Makes `acme` on this server, with people of `example.com`.
    pub async fn on(server: Server) -> Self {
        Self::of(Acme::on(server).await).await
    }

    async fn of(acme: Acme) -> Self {
        let (admin, mia) = (acme.join("adam", "admin").await, acme.join("mia", "member").await);
        let (max, viewer) = (acme.join("max", "member").await, acme.join("victor", "viewer").await);
        Self { acme, admin, mia, max, viewer }
    }

    /// The member that somebody is.
    pub async fn member(&self, who: &Client) -> String {
        let mine = who.get(&self.path("/me/permissions")).await.expect(200);
        mine["member_id"].as_str().expect("a member").to_owned()
    }

    /// Somebody with a role of the organization's own, which allows just this.
    pub async fn narrow(&self, name: &str, permissions: &[&str]) -> Client {
        let client = self.join(name, "viewer").await;
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
        let own = self.own();
        let events =
            format!("SELECT details FROM audit_events WHERE action = '{action}' AND {own} ORDER BY id");
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

impl Deref for Guild {
    type Target = Acme;

    fn deref(&self) -> &Acme {
        &self.acme
    }
}

/// The id of what an answer shows.
pub fn id(body: &Value) -> String {
    body["id"].as_str().expect("an id").to_owned()
}

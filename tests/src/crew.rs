//! An organization at work: `acme`, with people of every role, and what they do every day.

use serde_json::{Value, json};

use crate::{Client, Server};

/// The organization `acme` and its people.
pub struct Crew {
    /// Serves it.
    pub server: Server,
    /// Its owner.
    pub ada: Client,
    /// Its admin.
    pub adam: Client,
    /// A member.
    pub mia: Client,
    /// A viewer.
    pub victor: Client,
}

impl Crew {
    /// A server with all of them.
    pub async fn start() -> Self {
        Self::on(Server::start().await).await
    }

    /// All of them, on this server.
    pub async fn on(server: Server) -> Self {
        let ada = server.client().register("ada@example.com").await;
        ada.found("acme").await;
        let vault = server.vault().await;
        let mut others = Vec::new();
        for (name, role) in [("adam", "admin"), ("mia", "member"), ("victor", "viewer")] {
            let email = format!("{name}@example.com");
            others.push(server.client().register(&email).await);
            vault.join("acme", &email, role).await;
        }
        let [adam, mia, victor] = others.try_into().unwrap_or_else(|_| panic!("three others"));
        Self { server, ada, adam, mia, victor }
    }

    /// A path inside the organization: `O/…`.
    pub fn at(&self, rest: &str) -> String {
        format!("/api/v1/organizations/acme/{rest}")
    }

    /// The membership of one of them.
    pub async fn member(&self, who: &Client) -> String {
        let mine = who.get(&self.at("me/permissions")).await.expect(200);
        mine["member_id"].as_str().expect("a member").to_owned()
    }

    /// Changes the settings of the organization.
    pub async fn settle(&self, settings: Value) {
        self.ada.patch(&self.at("settings"), settings).header("if-match", "*").await.expect(200);
    }

    /// Adds a project; gives its id.
    pub async fn project(&self, code: &str) -> String {
        let draft = json!({ "code": code, "name": format!("Project {code}") });
        id(&self.ada.post(&self.at("projects"), draft).await.expect(201))
    }

    /// Writes down time of `who`, with whatever else `more` says; gives the entry.
    pub async fn track(&self, who: &Client, (from, to): (&str, &str), more: Value) -> Value {
        let mut draft = json!({ "started_at": from, "ended_at": to });
        draft.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        who.post(&self.at("time-entries"), draft).await.expect(201)
    }
}

/// The id of what an answer shows.
pub fn id(body: &Value) -> String {
    body["id"].as_str().expect("an id").to_owned()
}

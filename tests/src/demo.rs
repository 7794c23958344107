//! The organization of `insula seed demo`, served: people of every role, before members can be invited.

use serde_json::json;

use crate::{Client, Server, Workplace};

/// The demo on a server of its own.
pub struct Demo {
    /// Serves it.
    pub server: Server,
    password: String,
}

impl Demo {
    /// The slug of its organization.
    pub const SLUG: &str = "demo";

    /// Makes it and serves it.
    pub async fn start() -> Self {
        let workplace = Workplace::with_demo().await;
        let file = workplace.folder().join("demo.txt");
        let password = std::fs::read_to_string(file).expect("demo.txt").trim().to_owned();
        Self { server: Server::builder().workplace(&workplace).start().await, password }
    }

    /// One of its people: `olivia` (owner), `adam` (admin), `mia` (member), `victor` (viewer), `root` (operator).
    pub async fn person(&self, name: &str) -> Client {
        self.server.client().log_in(&format!("{name}@demo.example"), &self.password).await
    }

    /// Victor, after losing the only role.
    pub async fn powerless(&self) -> Client {
        let victor = self.person("victor").await;
        let vault = self.server.vault().await;
        let lost = vault
            .execute(
                "DELETE FROM member_roles WHERE member_id IN (SELECT m.id FROM members m
                 JOIN users u ON u.id = m.user_id JOIN organizations o ON o.id = m.organization_id
                 WHERE u.email = 'victor@demo.example' AND o.slug = 'demo')",
            )
            .await;
        assert_eq!(lost, 1, "victor had one role");
        victor
    }

    /// Adds a project to it; gives its path.
    pub async fn project(&self, code: &str) -> String {
        let path = format!("/api/v1/organizations/{}/projects", Self::SLUG);
        let made = self.person("olivia").await.post(&path, json!({ "code": code, "name": code })).await;
        made.expect(201);
        made.header("location").expect("a location").to_owned()
    }
}

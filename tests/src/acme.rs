//! An organization and its owner: for most that an organization can do.

use std::ops::Deref;

use crate::{Client, Server, SharedServer, unique};

/// An organization of a test's own, served, and its owner. What is served is reached through it, too.
pub struct Acme {
    /// Serves it.
    pub server: SharedServer,
    /// Its name in paths.
    pub slug: String,
    /// May do everything.
    pub owner: Client,
}

impl Acme {
    /// Makes it on the shared server, under a name that no other test has. Its owner has the address of `ada`.
    pub async fn start() -> Self {
        Self::of(Server::shared().await, unique("acme")).await
    }

    /// Makes `acme` on a server of its own.
    pub async fn alone() -> Self {
        Self::on(Server::start().await).await
    }

    /// Makes `acme` on this server, with people of `example.com`.
    pub async fn on(server: Server) -> Self {
        Self::of(server.into(), "acme".to_owned()).await
    }

    async fn of(server: SharedServer, slug: String) -> Self {
        let client = server.client().in_organization(&slug);
        let owner = client.register(&server.email("ada")).await;
        owner.found(&slug).await;
        Self { server, slug, owner }
    }

    /// A path inside of it, such as `/tasks`.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/organizations/{}{rest}", self.slug)
    }

    /// SQL that holds for its rows alone, of a table whose rows belong to organizations.
    pub fn own(&self) -> String {
        format!("organization_id IN (SELECT id FROM organizations WHERE slug = '{}')", self.slug)
    }

    /// One who has not signed in, for whom `{org}` in paths is this organization.
    pub fn client(&self) -> Client {
        self.server.client().in_organization(&self.slug)
    }

    /// Signs up somebody who does not belong to it.
    pub async fn stranger(&self, name: &str) -> Client {
        self.client().register(&self.email(name)).await
    }

    /// As [`SharedServer::operator`], for whom `{org}` in paths is this organization.
    pub async fn operator(&self) -> Client {
        self.server.operator().await.in_organization(&self.slug)
    }

    /// Signs up somebody and takes him into it.
    pub async fn join(&self, name: &str, role: &str) -> Client {
        let client = self.stranger(name).await;
        self.server.vault().await.join(&self.slug, &self.email(name), role).await;
        client
    }
}

impl Deref for Acme {
    type Target = SharedServer;

    fn deref(&self) -> &SharedServer {
        &self.server
    }
}

//! An organization whose owner records time, for exports and reports.

use std::ops::Deref;

use insula_tests::{Client, OrgWithOwner, TestDatabase, id};
use serde_json::json;

/// An organization whose owner records time.
pub(super) struct RecordedOrg {
    base: OrgWithOwner,
    pub(super) database: TestDatabase,
    pub(super) ada: Client,
    /// The id of the owner's membership.
    pub(super) member: String,
}

impl RecordedOrg {
    pub(super) async fn start() -> Self {
        Self::of(OrgWithOwner::start().await).await
    }

    pub(super) async fn of(base: OrgWithOwner) -> Self {
        let (ada, database) = (base.owner.clone(), base.database().await);
        let member = database.member_id(&base.slug, &base.email("ada")).await;
        Self { base, database, ada, member }
    }

    /// Another member, logged in, with the id of the membership.
    pub(super) async fn join(&self, name: &str, role: &str) -> (Client, String) {
        let person = self.base.join(name, role).await;
        (person, self.database.member_id(&self.slug, &self.email(name)).await)
    }

    /// Creates a project; returns its id.
    pub(super) async fn create_project(&self, code: &str, name: &str) -> String {
        let draft = json!({ "code": code, "name": name });
        id(&self.ada.post(&self.path("/projects"), draft).await.expect(201))
    }
}

impl Deref for RecordedOrg {
    type Target = OrgWithOwner;

    fn deref(&self) -> &OrgWithOwner {
        &self.base
    }
}

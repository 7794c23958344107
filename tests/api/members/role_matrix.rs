//! Every role against every operation of the document: a role allows exactly the operations of its permissions.

use std::collections::BTreeSet;

use insula_tests::{Client, OrgFixture, Server, TestDatabase};
use serde_json::json;

use crate::security::isolation::{NOTHING, implied, inside};

/// Somebody who holds one role of an organization.
struct Holder<'a> {
    server: &'a Server,
    database: &'a TestDatabase,
    client: Client,
    slug: &'a str,
    email: &'a str,
    role: &'a str,
}

impl Holder<'_> {
    /// Calls every operation. Only those that need no permission, or one that the member has, must succeed. Returns the
    /// permissions of the allowed ones.
    async fn may_exactly(&self, held: &BTreeSet<String>) -> BTreeSet<String> {
        let operations = inside(self.server).await;
        assert_eq!(operations.len(), implied(self.server).await);
        let mut may = BTreeSet::new();
        for operation in operations {
            let path = operation.path_with(|name| if name == "org" { self.slug } else { NOTHING }.to_owned());
            let reply = operation.broken_request(&self.client, &path).await;
            match &operation.permission {
                Some(permission) if !held.contains(permission) => {
                    let problem = reply.problem(403, "FORBIDDEN");
                    assert_eq!(problem["permission"], **permission, "{}", operation.id);
                    assert_eq!(problem["missing"], json!([permission]), "{}", operation.id);
                    assert_eq!(problem["roles_held"], json!([self.role]), "{}", operation.id);
                    let would_do = problem["roles_that_grant"].as_array().unwrap();
                    assert!(!would_do.contains(&self.role.into()), "{}", operation.id);
                }
                permission => {
                    let (role, id) = (self.role, &operation.id);
                    assert!(![401, 403].contains(&reply.status), "{role} {id}: {}", reply.text());
                    may.extend(permission.clone());
                    // The member may have left or deleted the organization.
                    if operation.method != "GET" && reply.status < 300 {
                        self.database.set_only_role(self.slug, self.email, self.role).await;
                    }
                }
            }
        }
        may
    }

    /// The member's permissions, as the API reports them.
    async fn held(&self) -> BTreeSet<String> {
        let mine = format!("/api/v1/organizations/{}/me/permissions", self.slug);
        let mine = self.client.get(&mine).await.expect(200);
        assert_eq!(mine["roles"][0]["key"], self.role);
        let held = mine["permissions"].as_array().unwrap().iter();
        held.map(|held| held["permission"].as_str().unwrap().to_owned()).collect()
    }
}

/// Every permission that an operation asks for.
async fn asked_for(server: &Server) -> BTreeSet<String> {
    inside(server).await.into_iter().filter_map(|operation| operation.permission).collect()
}

#[tokio::test]
async fn each_role_allows_exactly_its_permissions() {
    let org = OrgFixture::start().await;
    let (server, database, slug) = (&*org.server, &org.database().await, &*org.slug);
    let asked = asked_for(server).await;
    for (client, name, role) in [
        (&org.owner, "ada", "owner"),
        (&org.admin, "adam", "admin"),
        (&org.mia, "mia", "member"),
        (&org.viewer, "victor", "viewer"),
    ] {
        let (client, email) = (client.clone(), &*org.email(name));
        let holder = Holder { server, database, client, slug, email, role };
        let held = holder.held().await;
        let may = holder.may_exactly(&held).await;
        assert_eq!(may, asked.intersection(&held).cloned().collect(), "{role}");
    }
}

/// The same for roles of an organization's own: one for each permission there is.
#[tokio::test]
async fn a_role_with_one_permission_allows_exactly_that() {
    // Direct changes of the database invalidate no cache, so the cache is off.
    let server = &Server::builder().env("INSULA_SESSION_CACHE_TTL", "0").start().await;
    let database = &server.database().await;
    let owner = server.client().register("ada@example.com").await;
    owner.create_organization("acme").await;
    let (slug, email, role) = ("acme", "mia@example.com", "narrow");
    let holder = Holder { server, database, client: owner, slug, email: "ada@example.com", role: "owner" };
    let everything = holder.held().await;
    let asked = asked_for(server).await;
    assert!(everything.len() >= 34 && everything.is_superset(&asked), "{everything:?}");

    let client = server.client().register(email).await;
    database.join(slug, email, "viewer").await;
    database.insert_role(slug, role).await;
    database.set_only_role(slug, email, role).await;
    let holder = Holder { server, database, client, slug, email, role };
    assert_eq!(holder.may_exactly(&BTreeSet::new()).await, BTreeSet::new());
    let mut met = BTreeSet::new();
    for permission in everything {
        database.set_role_permission(slug, role, &permission).await;
        let held = BTreeSet::from([permission]);
        assert_eq!(holder.held().await, held);
        met.extend(holder.may_exactly(&held).await);
    }
    assert_eq!(met, asked, "each was somebody's");
}

//! Tenant isolation: every operation of the document, with every kind of caller without access.
//!
//! Requests of callers without access have invalid bodies. An error about the body would mean that it was read too early.
//! New operations are covered automatically. Only `make` must know how to create a new resource.

use std::collections::BTreeSet;

use insula_tests::{Client, DemoFixture, Operation, Organization, Reply, Server, eventually, unique};
use serde_json::{Value, json};

use crate::security::isolation_reads::reads_nothing_of;

/// An id that nothing has.
pub(crate) const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

/// What anybody may ask.
const PUBLIC: [&str; 12] = [
    "acceptInvitation",
    "declineInvitation",
    "forgotPassword",
    "getAuthConfig",
    "logIn",
    "previewInvitation",
    "refresh",
    "register",
    "resendVerification",
    "resetPassword",
    "undoEmailChange",
    "verifyEmail",
];

pub(crate) async fn document(server: &Server) -> Value {
    server.client().get("/api/v1/openapi.json").await.expect(200)
}

/// The operations inside of an organization.
pub(crate) async fn inside(server: &Server) -> Vec<Operation> {
    let all = Operation::all(&document(server).await);
    all.into_iter().filter(|operation| operation.path.contains("{org}")).collect()
}

/// How many operations inside of an organization the document has, counted by other means than [`inside`].
pub(crate) async fn implied(server: &Server) -> usize {
    let document = document(server).await;
    let paths = document["paths"].as_object().unwrap();
    let inside = paths.iter().filter(|(path, _)| path.starts_with("/api/v1/organizations/{org}"));
    let number = inside.map(|(_, methods)| methods.as_object().unwrap().len()).sum();
    assert!(number >= 8, "{number}");
    number
}

/// Asks every operation of `org` once, with a broken body, for children that do not exist, and for a copy of the
/// organization that nobody has; gives how many it asked.
async fn walk(server: &Server, caller: &Client, org: &str, check: impl Fn(&Operation, Reply)) -> usize {
    let mut operations = inside(server).await;
    // A user who left has no access afterwards, so leaving comes last.
    operations.sort_by_key(|operation| operation.id == "leaveOrganization");
    for operation in &operations {
        let path = operation.path_with(|name| if name == "org" { org } else { NOTHING }.to_owned());
        check(operation, operation.broken_request(caller, &path).header("if-match", "\"0\"").await);
    }
    operations.len()
}

/// Makes, in an organization, what a path parameter names; gives its path.
pub(crate) async fn make(owner: &Client, org: &Organization, parameter: &str, code: &str) -> String {
    let path = format!("/api/v1/organizations/{}", org.id);
    let made = match parameter {
        "project" => owner.post(&format!("{path}/projects"), json!({ "code": code, "name": code })).await,
        "invitation" => {
            let draft = json!({ "email": format!("{code}@example.com"), "roles": ["viewer"] });
            owner.post(&format!("{path}/invitations"), draft).await
        }
        "task" => owner.post(&format!("{path}/tasks"), json!({ "title": code })).await,
        "tag" => owner.post(&format!("{path}/tags"), json!({ "name": code })).await,
        "role" => owner.post(&format!("{path}/roles"), json!({ "name": code, "permissions": [] })).await,
        "entry" => {
            let draft = json!({ "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T09:00:00Z" });
            owner.post(&format!("{path}/time-entries"), draft).await
        }
        // There is always one member.
        "member" => {
            let members = owner.get(&format!("{path}/members")).await.expect(200);
            return format!("{path}/members/{}", members["data"][0]["id"].as_str().unwrap());
        }
        "event" => {
            let events = owner.get(&format!("{path}/audit-events?sort=occurred_at")).await.expect(200);
            return format!("{path}/audit-events/{}", events["data"][0]["id"].as_str().unwrap());
        }
        other => panic!("say here how to make what {{{other}}} names"),
    };
    made.expect(201);
    made.header("location").unwrap().to_owned()
}

/// The last part of a path.
pub(crate) fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// All that its owner sees of it.
async fn seen(owner: &Client, path: &str) -> (u16, Option<String>, Value) {
    let reply = owner.get(path).await;
    let tag = reply.header("etag").map(str::to_owned);
    let (status, body) = reply.outcome();
    (status, tag, body)
}

#[tokio::test]
async fn an_anonymous_caller_gets_401_and_nothing_else() {
    let server = Server::shared().await;
    let operations = Operation::all(&document(&server).await);
    let public: BTreeSet<_> = operations
        .iter()
        .filter(|operation| !operation.needs_token)
        .map(|operation| &*operation.id)
        .collect();
    assert_eq!(public, BTreeSet::from(PUBLIC), "PUBLIC lists every public operation");

    for operation in operations.iter().filter(|operation| operation.needs_token) {
        let path = operation.path_with(|_| NOTHING.to_owned());
        let reply = operation.broken_request(&server.client(), &path).await;
        reply.problem(401, "UNAUTHENTICATED");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{}", operation.id);
    }
}

/// Also the owner of an organization, and also for a body that is none: what superusers do is not for others.
#[tokio::test]
async fn only_superusers_may_call_admin_operations() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    ada.create_organization(&unique("acme")).await;
    let operations = Operation::all(&document(&server).await);
    let admin = operations.iter().filter(|operation| operation.path.starts_with("/api/v1/admin/"));
    let mut asked = 0;
    for operation in admin {
        let path = operation.path_with(|_| NOTHING.to_owned());
        operation.broken_request(&server.client(), &path).await.problem(401, "UNAUTHENTICATED");
        let problem = operation.broken_request(&ada, &path).await.problem(403, "FORBIDDEN");
        assert!(problem.get("permission").is_none(), "no role of an organization would do");
        asked += 1;
    }
    assert!(asked >= 8, "{asked}");
}

#[tokio::test]
async fn a_bad_token_is_refused_before_anything_else() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let acme = ada.create_organization(&unique("acme")).await.slug;
    let altered = server.client().bearer(&format!("{}x", ada.token()));
    for org in [&*acme, "nowhere"] {
        let asked = walk(&server, &altered, org, |_, reply| {
            reply.problem(401, "INVALID_TOKEN");
        });
        assert_eq!(asked.await, implied(&server).await);
    }
}

#[tokio::test]
async fn a_stranger_sees_404() {
    let server = Server::shared().await;
    let acme = server.register("ada").await.create_organization(&unique("acme")).await;
    let stranger = server.register("eve").await;
    let other = stranger.create_organization(&unique("other")).await.slug;
    for org in [&acme.slug, &acme.id] {
        let asked = walk(&server, &stranger, org, |_, reply| {
            reply.problem(404, "NOT_FOUND");
        });
        assert_eq!(asked.await, implied(&server).await);
        reads_nothing_of(&server, &stranger, &other, &[&acme.slug, &acme.id]).await;
    }
}

#[tokio::test]
async fn a_stranger_cannot_tell_an_organization_from_none() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let mut organizations = Vec::new();
    let [acme, deleted, suspended] = ["acme", "deleted", "suspended"].map(unique);
    for slug in [&acme, &deleted, &suspended] {
        organizations.push(ada.create_organization(slug).await);
    }
    let database = server.database().await;
    let change = async |what: &str, slug: &str| {
        let change = format!("UPDATE organizations SET {what} WHERE slug = '{slug}'");
        assert_eq!(database.execute(&change).await, 1);
    };
    change("deleted_at = created_at", &deleted).await;
    change("status = 'suspended'", &suspended).await;
    let stranger = server.register("eve").await;

    let platform = "00000000-0000-0000-0000-000000000000";
    for operation in inside(&server).await {
        let mut answers = Vec::new();
        let (upper, spaced) = (acme.to_uppercase(), format!("{acme}%20"));
        for org in [&*acme, &deleted, &suspended, "nowhere", NOTHING, platform, &upper, "*", &spaced] {
            let path = operation.path_with(|name| if name == "org" { org } else { NOTHING }.to_owned());
            answers.push((org, operation.broken_request(&stranger, &path).await.outcome()));
        }
        let (_, first) = &answers[0];
        assert_eq!(first.0, 404);
        for (org, answers) in &answers {
            assert_eq!(answers, first, "{} of {org}", operation.id);
        }
    }
    let other = stranger.create_organization(&unique("other")).await.slug;
    let ids: Vec<_> = organizations.iter().map(|org| &*org.id).collect();
    reads_nothing_of(&server, &stranger, &other, &ids).await;
}

#[tokio::test]
async fn a_member_without_permission_is_told_the_missing_one() {
    let demo = DemoFixture::start().await;
    let powerless = demo.without_roles().await;
    let asked = walk(&demo.server, &powerless, DemoFixture::SLUG, |operation, reply| {
        let Some(permission) = &operation.permission else {
            assert!(![401, 403].contains(&reply.status), "{} answers {}", operation.id, reply.status);
            assert!(!reply.text().contains("no such organization"), "{} sees a stranger", operation.id);
            return;
        };
        let problem = reply.problem(403, "FORBIDDEN");
        assert_eq!(problem["permission"], **permission, "{}", operation.id);
        assert_eq!(problem["missing"], json!([permission]));
        assert_eq!(problem["roles_held"], json!([]));
        assert!(problem["roles_that_grant"].as_array().unwrap().contains(&"owner".into()), "{problem}");
        assert!(problem["message"].as_str().unwrap().contains(&**permission), "{problem}");
    });
    assert_eq!(asked.await, implied(&demo.server).await);
}

#[tokio::test]
async fn a_suspended_member_is_told_and_a_removed_one_is_a_stranger_at_once() {
    let demo = DemoFixture::start().await;
    let mia = demo.user("mia").await;
    mia.get("/api/v1/organizations/demo").await.expect(200);
    for (membership, status, code) in
        [("suspended", 403, "MEMBERSHIP_SUSPENDED"), ("removed", 404, "NOT_FOUND")]
    {
        let update = format!(
            "UPDATE members SET status = '{membership}' WHERE user_id IN
             (SELECT id FROM users WHERE email = 'mia@demo.example')
             AND organization_id IN (SELECT id FROM organizations WHERE slug = 'demo')"
        );
        assert_eq!(demo.server.database().await.execute(&update).await, 1);
        // Direct changes invalidate no cache: its entries must expire.
        eventually("it is noticed", async || mia.get("/api/v1/organizations/demo").await.status == status)
            .await;
        let asked = walk(&demo.server, &mia, DemoFixture::SLUG, |_, reply| {
            reply.problem(status, code);
        });
        assert_eq!(asked.await, implied(&demo.server).await);
    }
}

/// In an organization of one's own, with every right: what lies in another one is not there.
#[tokio::test]
async fn a_foreign_child_is_not_found_and_stays_as_it_is() {
    let server = Server::start().await;
    let (ada, eve) = (
        server.client().register("ada@example.com").await,
        server.client().register("eve@example.com").await,
    );
    let (theirs, mine) = (ada.create_organization("theirs").await, eve.create_organization("mine").await);
    let database = server.database().await;
    let (mut probes, mut implied) = (0, 0);
    for operation in inside(&server).await {
        let parameters: Vec<_> = operation.parameters().into_iter().filter(|name| *name != "org").collect();
        implied += parameters.len();
        for foreign in parameters {
            let mut reachable = Vec::new();
            for deleted in [false, true] {
                let code = format!("P{probes}-{deleted}");
                let target = make(&ada, &theirs, foreign, &code).await;
                // The one owner cannot be taken away, and nothing that happened can.
                if deleted && !["member", "event"].contains(&foreign) {
                    ada.delete(&target).header("if-match", "*").await.expect(204);
                }
                // Everything else in the path is my own.
                let mut path = operation.path_with(|name| match name {
                    "org" => mine.id.clone(),
                    name => format!("<{name}>"),
                });
                for name in
                    operation.parameters().into_iter().filter(|name| *name != "org" && *name != foreign)
                {
                    let own = make(&eve, &mine, name, &code).await;
                    path = path.replace(&format!("<{name}>"), id(&own));
                }
                let path_of = |child: &str| path.replace(&format!("<{foreign}>"), child);

                // An event changes once more when it is sealed, which takes up to a second.
                if foreign == "event" {
                    database.wait_until_sealed().await;
                }
                let before = seen(&ada, &target).await;
                let reply = operation.request(&eve, &path_of(id(&target))).await;
                reply.problem(404, "NOT_FOUND");
                let unknown = operation.request(&eve, &path_of(NOTHING)).await;
                assert_eq!(reply.outcome(), unknown.outcome(), "{} is an oracle", operation.id);
                let broken = operation.broken_request(&eve, &path_of(id(&target))).await;
                let unknown = operation.broken_request(&eve, &path_of(NOTHING)).await;
                broken.problem(404, "NOT_FOUND");
                assert_eq!(broken.outcome(), unknown.outcome(), "{} is an oracle", operation.id);
                assert_eq!(
                    seen(&ada, &target).await,
                    before,
                    "{} reached into another organization",
                    operation.id
                );

                let own = path.replace(&mine.id, &theirs.id).replace(&format!("<{foreign}>"), id(&target));
                reachable.push(operation.request(&ada, &own).await.status != 404);
            }
            // Otherwise the probe above would prove nothing.
            assert!(reachable.contains(&true), "its owner cannot reach it by {} either", operation.id);
            probes += 1;
        }
    }
    assert!(probes >= 4 && probes == implied, "{probes} of {implied}");
    reads_nothing_of(&server, &eve, &mine.id, &[&theirs.id, &theirs.slug]).await;
}

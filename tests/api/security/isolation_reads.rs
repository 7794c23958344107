//! What a stranger can read after refused requests: their own data, and nothing of the other organizations.

use insula_tests::{Client, Operation, Server};
use serde_json::{Value, json};

use crate::security::isolation::{NOTHING, document, inside};

/// Everything that a user can read of their own, and of their organization `own`: each list to its end. Says what was
/// asked, and what was answered.
async fn readable(server: &Server, person: &Client, own: &str) -> Vec<(String, String)> {
    let mut read = Vec::new();
    for operation in Operation::all(&document(server).await) {
        let names = operation.parameters();
        let is_own = operation.needs_token && !operation.path.starts_with("/api/v1/admin/");
        if operation.method != "GET" || !is_own || names.iter().any(|name| *name != "org") {
            continue;
        }
        let search = if operation.id == "searchOrganization" { "?q=a" } else { "" };
        let path = operation.path_with(|_| own.to_owned()) + search;
        let mut next = Some(path.clone());
        while let Some(asked) = next.take() {
            let reply = person.get(&asked).await;
            // A report needs a time range.
            let is_shown = reply.status == 200 || operation.id == "getReportSummary";
            assert!(is_shown, "{asked}: {}", reply.text());
            if reply.status == 200 && reply.header("content-type") == Some("application/json") {
                let cursor = reply.json()["next_cursor"].as_str().map(str::to_owned);
                next = cursor.map(|cursor| format!("{path}?cursor={cursor}"));
            }
            read.push((asked, reply.text().to_owned()));
        }
    }
    assert!(read.len() >= 15, "{read:?}");
    read
}

/// Checks that a user can read none of the `words`: ids, slugs and names of other organizations.
pub(crate) async fn reads_nothing_of(server: &Server, person: &Client, own: &str, words: &[&str]) {
    for (asked, answer) in readable(server, person, own).await {
        for word in words {
            assert!(!answer.contains(word), "{asked} tells of {word}: {answer}");
        }
    }
}

/// The events a user is shown, without what differs between any two requests.
async fn activity(person: &Client) -> Vec<Value> {
    let events = person.get("/api/v1/users/me/activity?limit=100").await.expect(200);
    let mut events = events["data"].as_array().unwrap().clone();
    for event in &mut events {
        event["actor"] = event["actor"]["kind"].take();
        let event = event.as_object_mut().unwrap();
        for name in ["id", "occurred_at", "session_id", "request_id", "trace_id"] {
            event.remove(name);
        }
        if event["action"] != "access.denied" {
            event.retain(|name, _| name == "action");
        }
    }
    events
}

/// One of each kind of organization: their ids and slugs, which are also their names.
async fn organizations(server: &Server) -> Vec<String> {
    let ada = server.client().register("ada@example.com").await;
    let mut words = Vec::new();
    for slug in ["quagga-team", "quagga-deleted", "quagga-suspended", "quagga-former"] {
        words.extend([slug.to_owned(), ada.create_organization(slug).await.id]);
    }
    ada.patch("/api/v1/organizations/quagga-former", json!({ "slug": "quagga-present" })).await.expect(200);
    let database = server.database().await;
    database.execute("UPDATE organizations SET deleted_at = created_at WHERE slug = 'quagga-deleted'").await;
    database.execute("UPDATE organizations SET status = 'suspended' WHERE slug = 'quagga-suspended'").await;
    let personal = ada.get("/api/v1/users/me").await.expect(200)["default_organization_id"].take();
    let personal = personal.as_str().expect("an organization of her own").to_owned();
    let own = ada.get(&format!("/api/v1/organizations/{personal}")).await.expect(200);
    words.extend(["quagga-present".to_owned(), own["slug"].as_str().unwrap().to_owned(), personal]);
    words
}

#[tokio::test]
async fn refused_requests_tell_a_stranger_nothing() {
    let server = Server::start().await;
    let organizations = organizations(&server).await;
    let words: Vec<_> = organizations.iter().map(String::as_str).collect();
    let mut shown = Vec::new();
    // Slugs and ids of each kind of organization, then what nobody has: each asked by a stranger who asks nothing else.
    for (number, org) in words.iter().chain(&["quagga-nowhere", NOTHING]).enumerate() {
        let stranger = server.client().register(&format!("eve-{number}@example.com")).await;
        let own = stranger.create_organization(&format!("own-{number}")).await;
        for operation in inside(&server).await.iter().step_by(7) {
            let path = operation.path_with(|name| if name == "org" { *org } else { NOTHING }.to_owned());
            operation.broken_request(&stranger, &path).await.problem(404, "NOT_FOUND");
        }
        let events = activity(&stranger).await;
        let refused = events.iter().filter(|event| event["action"] == "access.denied").count();
        assert!(refused >= 10, "{events:#?}");
        shown.push((org, events));
        reads_nothing_of(&server, &stranger, &own.slug, &words).await;
    }
    let (_, nothing) = shown.last().unwrap();
    for (org, events) in &shown {
        assert_eq!(events, nothing, "the activity tells {org} from nothing");
    }
}

/// The hash of an event covers what is not shown of it: with the hash a guess could be confirmed.
#[tokio::test]
async fn users_cannot_read_the_chain_of_the_platform_log() {
    let server = Server::start().await;
    let database = server.database().await;
    server.client().register("ada@example.com").await.create_organization("acme").await;
    let eve = server.client().register("eve@example.com").await;
    eve.get("/api/v1/organizations/acme").await.problem(404, "NOT_FOUND");
    let unsealed = "SELECT count(*) FROM audit_events WHERE seq IS NULL";
    insula_tests::eventually("all is sealed", async || database.scalar(unsealed).await == 0).await;
    let events = eve.get("/api/v1/users/me/activity").await.expect(200);
    let events = events["data"].as_array().unwrap();
    let of_platform = |event: &&Value| event["organization_id"].is_null();
    assert!(events.iter().filter(of_platform).count() >= 3, "{events:#?}");
    for event in events {
        for name in ["seq", "prev_hash", "hash"] {
            assert_eq!(event[name].is_null(), of_platform(&event), "{name} of {event}");
        }
    }
}

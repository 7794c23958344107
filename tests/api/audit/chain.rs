//! Sealing of logs, and what can be removed: old events, and the personal data of anonymized users.

use std::time::{Duration, Instant};

use insula_tests::{Client, Server, TestDatabase, TestEnv, concurrently, eventually};
use serde_json::{Value, json};

const ACME: &str = "/api/v1/organizations/acme";

/// What the program says of acme's log.
async fn verified(client: &Client) -> Value {
    client.get(&format!("{ACME}/audit/verify")).await.expect(200)
}

/// What `insula audit verify` says of an export of acme's log.
async fn proven(server: &Server, client: &Client) -> String {
    let folder = server.test_env().folder();
    for (file, path) in [
        ("log.jsonl", format!("{ACME}/exports/audit-events.jsonl")),
        ("keys.json", "/.well-known/audit-keys.json".to_owned()),
    ] {
        std::fs::write(folder.join(file), client.get(&path).await.body).unwrap();
    }
    let output = server.test_env().insula(&["audit", "verify", "log.jsonl", "--key", "keys.json"], &[]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every log is numbered from 1 on, without a gap and without a number twice.
async fn assert_no_fork(database: &TestDatabase) {
    let forked = "SELECT count(*) FROM (SELECT organization_id FROM audit_events GROUP BY organization_id
                  HAVING count(*) <> max(seq) OR min(seq) <> 1 OR count(DISTINCT seq) <> count(*)) forked";
    assert_eq!(database.scalar(forked).await, 0);
}

#[tokio::test]
async fn an_event_is_sealed_soon_after_it_is_written() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let database = server.database().await;
    for round in 0..3 {
        let draft = json!({ "code": format!("P{round}"), "name": "P" });
        ada.post(&format!("{ACME}/projects"), draft).await.expect(201);
        database.wait_until_sealed().await;
    }
    assert_eq!(verified(&ada).await["events"], 5);
}

#[tokio::test]
async fn many_writers_of_many_processes_make_one_chain_and_none_loses_anything() {
    const WRITERS: usize = 50;
    let env = TestEnv::new().await;
    let start = || Server::builder().test_env(&env).env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start();
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(start().await);
    }
    let ada = servers[0].client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let write = |round: usize, servers: &[Server]| {
        let clients: Vec<_> = servers.iter().map(|server| server.client().bearer(ada.token())).collect();
        concurrently(WRITERS, move |writer| {
            let client = clients[writer % clients.len()].clone();
            async move {
                let named = |what: &str| client.with("x-request-id", &format!("{round}-{writer}-{what}"));
                let draft = json!({ "code": format!("P{round}-{writer}"), "name": "P" });
                let made = named("create").post(&format!("{ACME}/projects"), draft).await;
                made.expect(201);
                let path = made.header("location").unwrap();
                for name in ["a", "b"] {
                    named(name).patch(path, json!({ "name": name })).await.expect(200);
                }
            }
        })
    };
    write(1, &servers).await;
    write(2, &servers).await;
    // All end at once, as nothing can withstand: what was answered is written.
    drop(servers);
    let server = start().await;
    let (database, ada) = (server.database().await, server.client().bearer(ada.token()));
    write(3, std::slice::from_ref(&server)).await;
    database.wait_until_sealed().await;
    assert_no_fork(&database).await;
    let (changes, report) = (3 * 3 * WRITERS as u64, verified(&ada).await);
    assert_eq!((&report["valid"], &report["events"]), (&json!(true), &json!(changes + 2)), "{report}");
    let once = "SELECT count(*) FROM (SELECT request_id FROM audit_events WHERE request_id LIKE '%-%-create'
                OR request_id LIKE '%-%-a' OR request_id LIKE '%-%-b' GROUP BY request_id HAVING count(*) = 1) once";
    assert_eq!(database.scalar(once).await, i64::try_from(changes).unwrap());
    assert!(
        proven(&server, &ada).await.starts_with(&format!("The audit log is intact: {} events;", changes + 2))
    );
}

#[tokio::test]
async fn a_growing_log_is_always_valid() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let (database, begun) = (server.database().await, Instant::now());
    let work = concurrently(6, |worker| {
        let ada = ada.clone();
        async move {
            let (mut round, mut known) = (0, 0);
            while begun.elapsed() < Duration::from_secs(4) {
                round += 1;
                if worker < 2 {
                    let draft = json!({ "code": format!("P{worker}-{round}"), "name": "P" });
                    ada.post(&format!("{ACME}/projects"), draft).await.expect(201);
                    continue;
                }
                let report = verified(&ada).await;
                let events = report["events"].as_i64().unwrap();
                assert!(report["valid"] == true && events >= known, "{report}");
                known = events;
            }
            (worker < 2).then_some(round)
        }
    });
    let written: i64 = work.await.into_iter().flatten().sum();
    database.wait_until_sealed().await;
    assert_eq!(verified(&ada).await["events"], written + 2);
}

#[tokio::test]
async fn what_is_older_than_an_organization_keeps_goes_and_the_rest_stays_proven() {
    let env = TestEnv::new().await;
    let idle = Server::builder().test_env(&env).argument("--no-worker").start().await;
    let ada = idle.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    for number in 0..8 {
        let draft = json!({ "code": format!("P{number}"), "name": "P" });
        ada.post(&format!("{ACME}/projects"), draft).await.expect(201);
    }
    let keep = ada.patch(&format!("{ACME}/settings"), json!({ "audit_retention_days": 30 }));
    keep.header("if-match", "\"1\"").await.expect(200);
    let database = idle.database().await;
    database.backdate("acme", 6).await;
    drop(idle);
    let server = Server::builder().test_env(&env).start().await;
    let ada = server.client().bearer(ada.token());
    database.wait_until_sealed().await;
    let report = verified(&ada).await;
    assert_eq!(
        (&report["valid"], &report["events"], &report["from_seq"]),
        (&json!(true), &json!(11), &json!(1))
    );
    let prune = async || {
        database.execute("UPDATE audit_heads SET created_at = '2020-01-01T00:00:10.000001+00:00'").await;
        database.make_due("prune-audit-logs").await;
    };
    prune().await;
    let list = async |query: &str| {
        let page =
            ada.get(&format!("{ACME}/audit-events?limit=100&sort=occurred_at{query}")).await.expect(200);
        page["data"].as_array().unwrap().clone()
    };
    eventually("it is told", async || list("&action=audit.pruned").await.len() == 1).await;
    database.wait_until_sealed().await;

    let pruned = &list("&action=audit.pruned").await[0];
    assert_eq!(pruned["details"], json!({ "before": { "events": 6, "through_seq": 6 } }));
    assert_eq!((&pruned["actor"]["kind"], &pruned["seq"]), (&json!("worker"), &json!(12)));
    let numbers: Vec<_> = list("").await.iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(numbers, [7, 8, 9, 10, 11, 12]);
    let report = verified(&ada).await;
    assert_eq!(
        (&report["valid"], &report["events"], &report["from_seq"]),
        (&json!(true), &json!(6), &json!(7))
    );
    let checkpoints = ada.get(&format!("{ACME}/audit/checkpoints")).await.expect(200);
    let checkpoint = &checkpoints["data"][0];
    assert_eq!((&checkpoint["kind"], &checkpoint["seq"]), (&json!("pruning"), &json!(6)));
    let orphans = "SELECT count(*) FROM audit_personal WHERE id NOT IN (SELECT id FROM audit_events)";
    assert_eq!(database.scalar(orphans).await, 0);
    assert!(proven(&server, &ada).await.contains("6 events; events 7 to 12"));

    // Events of the program have no user.
    let beside = "INSERT INTO audit_personal (id, organization_id, salt, label)
                  SELECT id, organization_id, '', 'eve' FROM audit_events WHERE action = 'audit.pruned'";
    database.execute(beside).await;
    let report = verified(&ada).await;
    assert_eq!((&report["reason"], &report["first_bad_seq"]), (&json!("personal_altered"), &json!(12)));
    database.execute("DELETE FROM audit_personal WHERE salt = ''").await;

    // Nothing else is old enough. Without the signed statement, removed events would be an error.
    prune().await;
    database.execute("DELETE FROM audit_checkpoints WHERE kind = 'pruning'").await;
    let report = verified(&ada).await;
    let place = (&report["reason"], &report["first_bad_seq"], &report["last_bad_seq"]);
    assert_eq!(place, (&json!("missing"), &json!(1), &json!(6)), "{report}");
}

#[tokio::test]
async fn an_anonymized_user_is_in_no_log_and_every_log_is_valid() {
    let (server, superuser) = Server::with_superuser().await;
    let (ada, database) = (server.client().register("ada@example.com").await, server.database().await);
    ada.create_organization("acme").await;
    let bob = server.client().register("bob@example.com").await.with("user-agent", "Bob/1");
    database.join("acme", "bob@example.com", "admin").await;
    let id = bob.get("/api/v1/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    for client in [&ada, &bob, &bob] {
        let code = database.scalar("SELECT count(*) FROM projects").await;
        let draft = json!({ "code": format!("P{code}"), "name": "P" });
        client.post(&format!("{ACME}/projects"), draft).await.expect(201);
    }
    let activity_of_bob = format!("{ACME}/audit-events?actor={id}");
    assert_eq!(ada.get(&activity_of_bob).await.expect(200)["data"][0]["actor"]["label"], "bob@example.com");
    bob.delete("/api/v1/users/me").await.expect(202);
    database.wait_until_sealed().await;
    let over = "UPDATE users SET purge_after = deleted_at WHERE deleted_at IS NOT NULL";
    assert_eq!(database.execute(over).await, 1);
    database.make_due("purge-accounts").await;
    let account = format!("/api/v1/admin/users/{id}");
    eventually("the account is purged", async || superuser.get(&account).await.status == 404).await;
    database.wait_until_sealed().await;

    let events = ada.get(&activity_of_bob).await.expect(200)["data"].as_array().unwrap().clone();
    let changes = events.iter().filter(|event| event["action"] == "project.created").count();
    assert_eq!(changes, 2);
    for event in &events {
        assert_eq!(event["actor"]["id"], id);
        for gone in [&event["ip"], &event["user_agent"], &event["actor"]["label"]] {
            assert!(gone.is_null(), "{event}");
        }
    }
    let hers = ada.get(&format!("{ACME}/audit-events?ip=127.0.0.1")).await.expect(200);
    assert!(
        hers["data"].as_array().unwrap().iter().all(|event| event["actor"]["label"] == "ada@example.com")
    );
    for word in ["bob@example.com", "Bob/1"] {
        let leftovers = format!(
            "SELECT count(*) FROM audit_events e LEFT JOIN audit_personal p ON p.id = e.id WHERE e.details LIKE '%{word}%'
             OR p.label LIKE '%{word}%' OR p.user_agent LIKE '%{word}%'"
        );
        assert_eq!(database.scalar(&leftovers).await, 0, "{word}");
    }
    let report = verified(&ada).await;
    assert_eq!((&report["valid"], &report["erased"]), (&json!(true), &json!(events.len())), "{report}");
    let report = superuser.get("/api/v1/admin/audit/verify").await.expect(200);
    assert!(report["valid"] == true && report["erased"].as_i64() >= Some(2), "{report}");
    let without = format!(", {} of them without their personal data (erased);", events.len());
    assert!(proven(&server, &ada).await.contains(&without));
    database.wait_until_sealed().await;
    assert_no_fork(&database).await;
}

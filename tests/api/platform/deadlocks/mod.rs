//! Every pair of concurrent changes of one organization: both are answered, without a deadlock in the database.
//!
//! PostgreSQL ends one transaction of a deadlock and counts it. SQLite has one writer and therefore no deadlocks; there, the
//! test only checks that all requests are answered.

mod table;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use insula_tests::{Operation, Server, TestDatabase, concurrently};
use serde_json::{Value, json};
use table::{ELSEWHERE, TABLE};
use world::World;

/// Organizations, each with users of its own, that are worked on side by side.
const WORLDS: usize = 3;

/// The operation of a row: `updateMember` of `updateMember.suspended`.
fn operation_of(row: &str) -> &str {
    row.split('.').next().unwrap()
}

/// Fails when the document has an operation that changes something, and that is in neither list.
fn refuse_forgotten(document: &Value) {
    let changes = |operation: &Operation| operation.method != "GET";
    let known: BTreeSet<_> = Operation::all(document).into_iter().filter(changes).map(|one| one.id).collect();
    let rows = TABLE.iter().map(|(row, _)| operation_of(row));
    let listed: BTreeSet<_> = rows.chain(ELSEWHERE.iter().copied()).map(str::to_owned).collect();
    let apart: Vec<_> = known.symmetric_difference(&listed).collect();
    assert!(apart.is_empty(), "each operation that changes something is in one of the lists: {apart:?}");
}

/// What came of the pairs of one world.
#[derive(Default)]
struct Outcome {
    /// The rows that did something at least once.
    done: BTreeSet<&'static str>,
    /// Each answer of a row that was no success, the last one.
    refused: BTreeMap<&'static str, String>,
    /// What was answered as no client's fault.
    faults: Vec<String>,
}

async fn work(world: Arc<World>, pairs: Vec<(usize, usize)>, copies: usize) -> Outcome {
    let mut outcome = Outcome::default();
    for (turn, (one, other)) in pairs.into_iter().enumerate() {
        world.reset(&[TABLE[one].0, TABLE[other].0]).await;
        let rows = [TABLE[one], TABLE[other]];
        let replies = concurrently(2 * copies, |number| {
            let (_, ask) = rows[number % 2];
            let request = ask(&world, turn * 8 + number);
            async move { request.await }
        });
        for (number, reply) in replies.await.iter().enumerate() {
            let row = rows[number % 2].0;
            match reply.status {
                200..300 => drop(outcome.done.insert(row)),
                500.. => {
                    let other = rows[(number + 1) % 2].0;
                    outcome.faults.push(format!("{row} beside {other}: {} {}", reply.status, reply.text()));
                }
                _ => drop(outcome.refused.insert(row, format!("{} {}", reply.status, reply.text()))),
            }
        }
    }
    outcome
}

/// How many transactions PostgreSQL has ended in this database because they waited for each other. A connection tells it
/// when it ends.
async fn deadlocks(database: &TestDatabase) -> i64 {
    match database {
        TestDatabase::Sqlite(_) => 0,
        TestDatabase::Postgres(_) => {
            database.scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await
        }
    }
}

#[tokio::test]
async fn no_two_changes_of_one_organization_deadlock() {
    // Requests wait for each other without a time limit. A failure here was a deadlock that the database ended.
    let builder = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60");
    let (server, superuser) = builder.start_with_superuser().await;
    refuse_forgotten(&superuser.get("/api/v1/openapi.json").await.expect(200));
    let mut worlds = Vec::new();
    for number in 0..WORLDS {
        worlds.push(Arc::new(World::new(&server, &superuser, number).await));
    }
    let pairs = (0..TABLE.len()).flat_map(|one| (one..TABLE.len()).map(move |other| (one, other)));
    // SQLite commits one after the other, each to the disk, and nobody waits in a circle: every fifth pair is enough.
    let (copies, part) = if server.test_env().is_postgres() { (2, 1) } else { (1, 5) };
    // By the sum, so that every operation is in one of them.
    let pairs: Vec<_> = pairs.filter(|(one, other)| (one + other) % part == 0).collect();
    let outcomes = concurrently(WORLDS, |number| {
        let pairs = pairs.iter().skip(number).step_by(WORLDS).copied().collect();
        work(Arc::clone(&worlds[number]), pairs, copies)
    });
    let outcomes = outcomes.await;
    let (database, env) = (server.database().await, server.test_env().clone());
    server.terminate().await;
    let ended = deadlocks(&database).await;
    drop((database, env));

    let faults: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.faults).collect();
    assert!(faults.is_empty(), "{} of {} pairs, {ended} deadlocks: {faults:#?}", faults.len(), pairs.len());
    assert_eq!(ended, 0);
    let done: BTreeSet<_> = outcomes.iter().flat_map(|outcome| &outcome.done).collect();
    let idle = TABLE.iter().filter(|(row, _)| !done.contains(row));
    let refused = |row| outcomes.iter().find_map(|outcome| outcome.refused.get(row));
    let idle: Vec<_> = idle.map(|(row, _)| format!("{row}: {:?}", refused(row))).collect();
    assert!(idle.is_empty(), "each does something at least once: {idle:#?}");
}

/// Two requests that swap names are both refused as taken; neither waits for the other.
#[tokio::test]
async fn concurrent_swaps_of_names_are_refused_as_taken() {
    let (server, superuser) =
        Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start_with_superuser().await;
    let world = World::new(&server, &superuser, 0).await;
    let tags = world.create_two("/tags", |name| json!({ "name": name })).await;
    let projects = world.create_two("/projects", |name| json!({ "code": name, "name": name })).await;
    let roles = world.create_two("/roles", |name| json!({ "name": name, "permissions": [] })).await;
    let mut organizations = Vec::new();
    for slug in ["left", "right"] {
        organizations.push(format!("/api/v1/organizations/{}", world.ada.create_organization(slug).await.id));
    }
    let me = "/api/v1/users/me".to_owned();
    for (who, name) in [(&world.ada, "left"), (&world.eve_client, "right")] {
        who.patch(&me, json!({ "username": name })).header("if-match", "*").await.expect(200);
    }
    let exchanged = [
        (tags, "name", "TAG_NAME_TAKEN"),
        (projects, "code", "PROJECT_CODE_TAKEN"),
        (roles, "name", "ROLE_NAME_TAKEN"),
        (organizations, "slug", "SLUG_TAKEN"),
        (vec![me.clone(), me], "username", "USERNAME_TAKEN"),
    ];
    for (paths, field, code) in &exchanged {
        for _ in 0..20 {
            let replies = concurrently(2, |number| {
                let who = if *field == "username" && number == 1 { &world.eve_client } else { &world.ada };
                let name = ["right", "left"][number];
                let request = who.patch(&paths[number], json!({ *field: name })).header("if-match", "*");
                async move { request.await }
            });
            replies.await.iter().for_each(|reply| drop(reply.problem(409, code)));
        }
    }
}

//! The audit events of every operation that changes something: one per changed row, in the log of its organization.
//!
//! Reads, requests without a change and `refresh` have no events. A new operation of the document fails here until
//! [`table::TABLE`] has its events and a scenario performs it.

pub(crate) mod accounts;
pub(crate) mod organizations;
pub(crate) mod platform;
mod table;
pub(crate) mod walk;

use std::collections::BTreeSet;

use insula_tests::Server;
use serde_json::Value;
use table::TABLE;
use walk::{Walk, mutating, operation_of};

#[tokio::test]
async fn every_mutating_operation_leaves_exactly_the_events_of_the_table() {
    let walks: [Walk; 3] = [
        Box::pin(accounts::walk(Server::builder())).await,
        Box::pin(organizations::walk(Server::builder())).await,
        Box::pin(platform::walk(Server::builder())).await,
    ];
    let faults: Vec<_> = walks.iter().flat_map(Walk::faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let performed: BTreeSet<_> = walks.iter().flat_map(Walk::performed).collect();
    let rows: BTreeSet<_> = TABLE.iter().map(|(step, _)| *step).collect();
    assert_eq!(rows.len(), TABLE.len(), "a step has one row");
    let apart: Vec<_> = rows.symmetric_difference(&performed).collect();
    assert!(apart.is_empty(), "each row is performed: {apart:?}");

    let document = walks[0].document();
    let operations = mutating(document);
    let known: BTreeSet<_> = operations.iter().map(|operation| &*operation.id).collect();
    let listed: BTreeSet<_> = rows.iter().map(|step| operation_of(step)).collect();
    let apart: Vec<_> = known.symmetric_difference(&listed).collect();
    assert!(apart.is_empty(), "each mutating operation of the document has a row, and no other: {apart:?}");
    assert_eq!(known.len(), implied(document));
}

/// How many operations of the document may change something, counted by other means than [`mutating`].
fn implied(document: &Value) -> usize {
    let paths = document["paths"].as_object().unwrap().values();
    let methods = |path: &Value| path.as_object().unwrap().keys().filter(|method| *method != "get").count();
    let number = paths.map(methods).sum();
    assert!(number >= 65, "{number}");
    number
}

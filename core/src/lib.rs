//! Rules and storage of Insula. Knows no HTTP and no queue client.
//!
//! Modules stand in order: each uses only those above it (`tests/layers.rs`).

#![forbid(unsafe_code)]
#![warn(missing_docs)]

// Pure: they compute, and neither wait nor name a table.
pub mod ids;
pub mod clock;
pub mod text;
pub mod access;
pub mod error;
pub mod secret;
pub mod page;
pub mod quota;
// The process.
pub mod config;
pub mod tls;
pub mod telemetry;
// What replicas share.
pub mod cluster;
pub mod limits;
pub mod bell;
// The unit of work.
pub mod db;
pub mod audit;
pub mod emails;
pub mod outbox;
pub mod schedules;
pub mod idempotency;
pub mod signing_keys;
pub mod chains;
// People.
pub mod users;
pub mod credentials;
pub mod sessions;
pub mod one_time_tokens;
// Organizations.
pub mod organizations;
pub mod roles;
pub mod members;
pub mod invitations;
pub mod transfers;
pub mod settings;
// Work data.
pub mod projects;
pub mod tags;
pub mod tasks;
pub mod period_locks;
pub mod time_entries;
pub mod departures;
pub mod reports;
pub mod exports;
// What spans several of them.
pub mod accounts;
pub mod samples;
pub mod tenants;
pub mod mailboxes;
pub mod letters;
pub mod maintenance;

pub use error::{Error, Result};

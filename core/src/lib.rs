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
// The process.
pub mod config;
pub mod telemetry;
// What replicas share.
pub mod cluster;
// The unit of work.
pub mod db;
pub mod audit;
pub mod outbox;
pub mod idempotency;
pub mod signing_keys;
// People.
pub mod users;
pub mod credentials;
pub mod sessions;
pub mod one_time_tokens;
// Organizations.
pub mod organizations;
pub mod roles;
pub mod members;
// Work data.
pub mod projects;
// What spans several of them.
pub mod accounts;
pub mod mailboxes;
pub mod maintenance;

pub use error::{Error, Result};

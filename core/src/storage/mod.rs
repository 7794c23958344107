//! The database: transactions and their scope, and the tables that every feature writes to.

pub mod db;
pub mod audit;
pub mod emails;
pub mod outbox;
pub mod schedules;
pub mod idempotency;
pub mod signing_keys;
pub mod audit_chain;

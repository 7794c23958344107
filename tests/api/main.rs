//! The product, from the outside; one module per noun.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod auth;
mod bad_input;
mod bad_requests;
mod bounds;
mod cli;
mod cluster;
mod idempotency;
mod isolation;
mod login;
mod migrations;
mod pages;
mod problems;
mod projects;
mod races;
mod server;
mod sessions;
mod tokens;
mod walls;

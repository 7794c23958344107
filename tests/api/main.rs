//! The product, from the outside; one module per noun.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod auth;
mod bad_input;
mod bad_requests;
mod bounds;
mod cli;
mod email_change;
mod idempotency;
mod isolation;
mod links;
mod login;
mod migrations;
mod pages;
mod problems;
mod projects;
mod races;
mod reset;
mod server;
mod sessions;
mod step_up;
mod tokens;
mod verification;
mod walls;

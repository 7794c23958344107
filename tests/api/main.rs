//! The product, from the outside; one module per noun.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account_deletion;
mod admin_users;
mod audit;
mod auth;
mod bad_input;
mod bad_requests;
mod bounds;
mod cli;
mod idempotency;
mod isolation;
mod login;
mod migrations;
mod pages;
mod password_change;
mod personal_organizations;
mod passwords;
mod problems;
mod profile;
mod projects;
mod races;
mod server;
mod sessions;
mod step_up;
mod tokens;
mod walls;

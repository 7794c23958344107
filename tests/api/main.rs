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
mod cluster;
mod cookies;
mod email_change;
mod idempotency;
mod isolation;
mod keys;
mod links;
mod login;
mod migrations;
mod pages;
mod password_change;
mod passwords;
mod personal_organizations;
mod problems;
mod profile;
mod projects;
mod races;
mod refresh;
mod reset;
mod server;
mod sessions;
mod step_up;
mod tokens;
mod verification;
mod walls;

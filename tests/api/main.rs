//! Black-box tests of the program, with one folder per topic.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod admin;
mod audit;
mod auth;
mod http;
mod members;
mod organizations;
mod platform;
mod security;
mod work;

//! The HTTP API of Insula.
//!
//! Folders stand in order: each uses only those above it (`core/tests/layers.rs`). [`app`] puts them together.

#![forbid(unsafe_code)]
// The compiler computes the layout of the future of a request, which holds those of all layers, when it optimizes.
#![recursion_limit = "256"]

pub mod request;
pub mod problem;
pub mod schema;
pub mod operations;
pub mod body;
pub mod browser;
pub mod server;
pub mod state;
pub mod middleware;
pub mod auth;
pub mod http;
pub mod openapi;
pub mod pages;
pub mod ops;
pub mod routes;
pub mod app;

#[cfg(test)]
mod test_api;

/// The path of every operation starts with this.
pub const BASE: &str = "/api/v1";

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

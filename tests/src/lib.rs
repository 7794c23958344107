//! Presses the doors a user can press: starts the real program and speaks HTTP with it.
//!
//! Knows no crate of the product. Only [`Vault`] opens a database.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "this is what a test and its runner tell the one who waits for them"
)]

mod browser;
mod client;
mod contract;
mod crowd;
mod demo;
mod document;
mod inbox;
mod process;
mod raw;
mod relay;
mod server;
pub mod services;
mod vault;
mod workplace;

pub use browser::{Browser, set_cookies};
pub use client::{Client, Organization, PASSWORD, Reply, Request};
pub use crowd::{eventually, together};
pub use demo::Demo;
pub use document::Operation;
pub use inbox::{Inbox, Mail};
pub use relay::Relay;
pub use server::{Builder, Server};
pub use vault::{Held, Vault};
pub use workplace::{Workplace, insula, redis};

//! Presses the doors a user can press: starts the real program and speaks HTTP with it.
//!
//! Knows no crate of the product. Only [`Vault`] opens a database.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "this is what a test and its runner tell the one who waits for them"
)]

mod acme;
mod browser;
mod client;
mod contract;
mod crowd;
mod demo;
mod dice;
mod document;
pub mod figures;
mod guest;
mod guild;
mod inbox;
mod planted;
mod postbox;
mod process;
mod raw;
mod relay;
pub mod screen;
mod server;
pub mod services;
mod shared;
mod stage;
mod standing;
mod tampering;
mod template;
mod vault;
pub mod worked;
mod workplace;

pub use acme::Acme;
pub use browser::{Browser, set_cookies};
pub use client::{Client, Organization, PASSWORD, Reply, Request};
pub use crowd::{eventually, together};
pub use demo::Demo;
pub use dice::Dice;
pub use document::Operation;
pub use guild::{Guild, id};
pub use inbox::Inbox;
pub use planted::{Planted, UNKNOWN_KIND, Whose};
pub use postbox::{Mail, Mood, Postbox};
pub use process::Process;
pub use relay::Relay;
pub use server::{Builder, Server};
pub use shared::{SharedServer, unique};
pub use stage::{Database, Deliveries, Delivery, LOOK, Plan, Program, Servers, Stage};
pub use vault::{Held, Vault};
pub use workplace::{Workplace, binary, in_database, insula, redis, setting};

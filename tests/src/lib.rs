//! The test harness: starts the real program and talks HTTP to it.
//!
//! It uses no crate of the product. Only [`TestDatabase`] opens a database.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "output for the person who runs the tests")]

mod browser;
mod client;
mod cluster;
mod concurrency;
pub mod console;
mod database;
mod fake_smtp;
pub mod fixtures;
mod inbox;
mod log_check;
mod openapi;
mod openapi_contract;
mod otlp_receiver;
mod process;
mod raw_http;
mod rng;
mod server;
pub mod services;
mod shared_server;
pub mod stats;
mod tcp_proxy;
mod test_env;
mod tls_proxy;

pub use browser::{Browser, set_cookies};
pub use client::{Client, Organization, PASSWORD, Reply, Request};
pub use cluster::{
    BackingServices, ClusterConfig, DatabaseKind, Delivery, FakeSmtpProcess, InsulaProcess, POLL_INTERVAL,
    TestCluster,
};
pub use concurrency::{concurrently, eventually};
pub use database::{HeldTransaction, TestDatabase};
pub use fake_smtp::{FakeSmtp, FaultMode, Mail};
pub use fixtures::{DemoFixture, JobFixture, JobOwner, OrgFixture, OrgWithOwner, UNKNOWN_KIND, id};
pub use inbox::Inbox;
pub use openapi::Operation;
pub use otlp_receiver::{
    OtlpReceiver, OtlpTransport, ReceivedLog, ReceivedSpan, ReceiverMode, SpanKind, TestTrace,
};
pub use process::Process;
pub use rng::TestRng;
pub use server::{Builder, Server};
pub use shared_server::{SharedServer, unique};
pub use tcp_proxy::TcpProxy;
pub use test_env::{TestEnv, binary, in_database, insula, redis, setting};
pub use tls_proxy::TlsProxy;

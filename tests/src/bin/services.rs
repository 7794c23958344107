//! `services COMMAND ARGS...`: runs a command beside a private PostgreSQL and a private Redis.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    insula_tests::services::main(std::env::args_os().skip(1).collect()).await
}

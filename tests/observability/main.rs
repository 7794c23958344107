//! `observability [write]`: checks the rules and dashboards of `deploy/observability/` against a running installation.
//!
//! `write` only writes the dashboards. Without it, the rules are checked and tested by promtool; then PostgreSQL, Redis, a
//! mail server, a server, a worker and Prometheus are started, and every query of every dashboard must return something.
//! Exit code: 0 when everything holds, 1 when something does not, 64 when the arguments are not valid.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments")]

mod dashboards;
mod files;
mod live;

use std::{path::Path, process::ExitCode, time::Instant};

use insula_tests::console;

use self::files::Files;

#[tokio::main]
async fn main() -> ExitCode {
    // The folder of this crate is in the root of the project.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = Files::new(&root);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let from = Instant::now();
    let failures = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write"] => files.write_dashboards(),
        [] => {
            let mut failures = files.check();
            failures.extend(live::check(&files).await.unwrap_or_else(|reason| vec![reason]));
            failures
        }
        _ => {
            eprintln!("usage: observability [write]");
            return 64.into();
        }
    };
    failures.iter().for_each(|failure| console::line(&format!("  FAILED: {failure}")));
    console::title(&format!("{} failures in {} s", failures.len(), from.elapsed().as_secs()));
    u8::from(!failures.is_empty()).into()
}

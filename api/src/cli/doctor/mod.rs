//! `insula doctor`: checks everything that an installation needs, and says how to correct what is wrong.

mod database;
mod machine;
mod remote;
mod report;
mod services;

pub(super) use database::missing_file;
use insula_core::runtime::config::Config;
use report::{CheckResult, CheckStatus};
use serde_json::Value;

use super::{CliError, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Check the installation at this URL from outside, instead of this machine
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    let checks = match &args.url {
        Some(url) => remote::check(url.trim_end_matches('/'), config).await,
        None => check(config).await,
    };
    match args.json {
        true => say(format_args!("{:#}", report::json(&checks))),
        false => say(report::table(&checks, config.no_color.is_some())),
    }
    match checks.iter().filter(|check| check.status == CheckStatus::Failed).count() {
        0 => Ok(()),
        count => Err(CliError::failed(format_args!("{count} of {} checks failed", checks.len()))),
    }
}

/// Checks this machine and what the installation uses.
async fn check(config: &Config) -> Vec<CheckResult> {
    let mut checks = machine::check(config);
    checks.extend(database::check(config).await);
    checks.extend(services::check(config).await);
    checks
}

/// What `--json` prints.
pub(super) async fn report(config: &Config) -> Value {
    report::json(&check(config).await)
}

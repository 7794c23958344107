//! The command line. One file per command.
//!
//! Exit codes: 0 success; 1 failure; 2 invalid usage; 69 a service or port is unavailable (database, Redis, mail server);
//! 78 invalid configuration (sysexits.h).

mod audit;
mod background_tasks;
mod backup;
mod completion;
mod config;
mod create_superuser;
mod database;
mod doctor;
mod email;
mod error;
#[cfg(test)]
mod future_sizes;
mod healthcheck;
mod http_get;
mod open_files;
mod keys;
mod migrate;
mod openapi;
mod ops_port;
mod seed;
mod serve;
mod server_gauges;
mod support_bundle;
mod worker;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use error::CliError;
use insula_core::runtime::{
    config::{Config, Sources},
    telemetry,
};

/// Insula: the multi-tenant backend.
#[derive(Parser)]
#[command(name = "insula", version, propagate_version = true, disable_help_subcommand = true)]
#[command(
    after_help = "Settings are read from INSULA_* variables, .env and the file passed with --config. `insula config print` shows all of them.\n\nExit codes: 0 success, 1 failure, 2 invalid usage, 69 a service or port is unavailable, 78 invalid configuration."
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

/// Flags of all commands; each overrides a setting.
#[derive(clap::Args)]
struct Flags {
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use this database: `postgres://…` or `sqlite://…` (`DATABASE_URL`)
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Keep the SQLite database and generated secrets here (`INSULA_DATA_DIR`)
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the API server, including background work
    Serve(serve::Args),
    /// Run background work only, for use with servers that run with `--no-worker`
    Worker,
    /// Manage the database schema
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Create a superuser, or make an existing account a superuser
    CreateSuperuser(create_superuser::Args),
    /// Create demo data or load test data
    #[command(subcommand)]
    Seed(seed::Command),
    /// Manage signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Verify exported audit logs
    #[command(subcommand)]
    Audit(audit::Command),
    /// Copy a SQLite database into a new file while it is in use, and check the copy
    Backup(backup::Args),
    /// Send a test e-mail
    #[command(subcommand)]
    Email(email::Command),
    /// Check everything that an installation needs, and show how to correct what is wrong
    Doctor(doctor::Args),
    /// Collect what is needed to answer an issue in one archive, without secrets and personal data
    SupportBundle(support_bundle::Args),
    /// Ask the process on this machine whether it is healthy, for containers
    Healthcheck(healthcheck::Args),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Print the OpenAPI document
    Openapi,
    /// Print a completion script for a shell
    Completion(completion::Args),
}

impl Command {
    /// The name of the log files of a process that runs for long.
    fn log_files(&self) -> Option<&'static str> {
        match self {
            Self::Serve(_) => Some("serve"),
            Self::Worker => Some("worker"),
            _ => None,
        }
    }
}

/// Parses the arguments, runs the command and reports its failure.
pub(crate) fn run() -> ExitCode {
    let Cli { flags, command } = Cli::parse();
    match dispatch(&flags, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn dispatch(flags: &Flags, command: Command) -> Result<(), CliError> {
    // These need no settings.
    match command {
        Command::Openapi => return openapi::run(),
        Command::Completion(args) => return completion::run(&args),
        Command::Audit(command) => return audit::run(&command),
        Command::Config(command) => return config::run(&sources(flags, [])?, &command),
        _ => {}
    }
    let overrides = match &command {
        Command::Serve(args) => args.settings(),
        _ => Vec::new(),
    };
    let sources = sources(flags, overrides)?;
    let config = Config::read(&sources)?;
    insula_core::identity::credentials::set_min_length(config.password_min_length.0);
    insula_core::identity::credentials::set_hash_memory(config.password_memory.0);
    // The last lines are written when it is dropped.
    let _log_files = telemetry::init(&config, command.log_files())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&config, &args).await,
            Command::Worker => worker::run(&config).await,
            Command::Migrate(command) => migrate::run(&config, &command).await,
            Command::CreateSuperuser(args) => create_superuser::run(&config, args).await,
            Command::Seed(command) => seed::run(&config, &command).await,
            Command::Backup(args) => backup::run(&config, &args).await,
            Command::Email(command) => email::run(&config, &command).await,
            Command::Doctor(args) => doctor::run(&config, &args).await,
            Command::SupportBundle(args) => support_bundle::run(&config, &sources, &args).await,
            Command::Healthcheck(args) => healthcheck::run(&config, &args).await,
            Command::Keys(command) => keys::run(&config, &command).await,
            Command::Openapi | Command::Completion(_) | Command::Config(_) | Command::Audit(_) => Ok(()),
        }
    })
}

fn sources(
    flags: &Flags,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<Sources, CliError> {
    let general = [("DATABASE_URL", &flags.database_url), ("INSULA_DATA_DIR", &flags.data_dir)];
    let general = general.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    let flagged: BTreeMap<String, String> =
        general.chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Sources::load(flags.config.as_deref(), flagged)?)
}

/// Writes a line to stdout. A closed pipe is not an error.
fn say(text: impl std::fmt::Display) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    drop(written);
}

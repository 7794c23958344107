//! The command line. One file per command.
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage; 69 something it needs is not there (database, port); 78 the
//! configuration is wrong (sysexits.h).

mod audit;
mod background;
mod completion;
mod config;
mod create_superuser;
mod database;
mod email;
mod fault;
mod files;
mod keys;
mod migrate;
mod openapi;
mod ops;
mod seed;
mod serve;
mod worker;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use fault::Fault;
use insula_core::config::{Config, Sources};

/// Insula: the multi-tenant backend.
#[derive(Parser)]
#[command(name = "insula", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "Settings come from INSULA_* variables, .env and the file named by --config; \
                        `insula config print` shows them all.\n\nExit codes: 0 done, 1 failed, 2 wrong usage, \
                        69 something it needs is not there, 78 the configuration is wrong.")]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command; each overrides a setting.
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
    /// Run the API, with the background work inside
    Serve(serve::Args),
    /// Run the background work alone, beside servers with `--no-worker`
    Worker,
    /// Change the database's schema
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Make sure that there is an operator of the platform
    CreateSuperuser(create_superuser::Args),
    /// Fill the database with data to try things out
    #[command(subcommand)]
    Seed(seed::Command),
    /// Look after the keys that sign access tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Prove that audit logs are whole
    #[command(subcommand)]
    Audit(audit::Command),
    /// Try whether mails arrive
    #[command(subcommand)]
    Email(email::Command),
    /// Look at the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Print the OpenAPI document
    Openapi,
    /// Print a completion script for a shell
    Completion(completion::Args),
}

/// Reads the arguments, does what they say, and tells what went wrong in words.
pub(crate) fn run() -> ExitCode {
    let Cli { flags, command } = Cli::parse();
    match dispatch(&flags, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.report(),
    }
}

fn dispatch(flags: &Flags, command: Command) -> Result<(), Fault> {
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
    insula_core::credentials::require_length(config.password_min_length.0);
    insula_core::credentials::require_memory(config.password_memory.0);
    insula_core::telemetry::init(config.environment, &config.log, config.no_color.is_some());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&config, &args).await,
            Command::Worker => worker::run(&config).await,
            Command::Migrate(command) => migrate::run(&config, &command).await,
            Command::CreateSuperuser(args) => create_superuser::run(&config, args).await,
            Command::Seed(command) => seed::run(&config, &command).await,
            Command::Email(command) => email::run(&config, &command).await,
            Command::Keys(command) => keys::run(&config, &command).await,
            Command::Openapi | Command::Completion(_) | Command::Config(_) | Command::Audit(_) => Ok(()),
        }
    })
}

fn sources(flags: &Flags, more: impl IntoIterator<Item = (&'static str, String)>) -> Result<Sources, Fault> {
    let general = [("DATABASE_URL", &flags.database_url), ("INSULA_DATA_DIR", &flags.data_dir)];
    let general = general.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    let flagged: BTreeMap<String, String> =
        general.chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Sources::load(flags.config.as_deref(), flagged)?)
}

/// Writes lines for people and pipes to stdout; a closed pipe is nobody's fault.
fn say(text: impl std::fmt::Display) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    drop(written);
}

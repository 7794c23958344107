//! `insula migrate`: applies, reverts and shows migrations.

use insula_core::runtime::config::Config;
use insula_migrations::Upgrade;

use super::{CliError, say, serve};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Apply pending migrations and repair roles and policies; several processes can run it at the same time
    Up,
    /// Revert the most recent migrations
    Down {
        /// Number of migrations to revert
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// Show applied and pending migrations, and anything that is missing
    Status,
    /// Drop all tables, then apply all migrations (not in production)
    Fresh,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), CliError> {
    let url = config.migration_url();
    match command {
        Command::Up => {
            let Upgrade { applied, repaired } = up(config).await?;
            applied.iter().for_each(|name| say(format_args!("applied {name}")));
            repaired.iter().for_each(|what| say(format_args!("repaired {what}")));
            say("up to date");
        }
        Command::Down { steps } => {
            let reverted = insula_migrations::down(&url, *steps).await.map_err(cli_error(config))?;
            reverted.iter().for_each(|name| say(format_args!("reverted {name}")));
        }
        Command::Status => return status(config).await,
        Command::Fresh if config.is_production() => {
            return Err(CliError::config("`migrate fresh` drops all tables; it is refused in production"));
        }
        Command::Fresh => {
            let applied =
                insula_migrations::fresh(&url, login(config).as_deref()).await.map_err(cli_error(config))?;
            applied.iter().for_each(|name| say(format_args!("applied {name}")));
            say("up to date");
        }
    }
    Ok(())
}

/// Shows what is applied, pending and missing. Missing parts are an error; pending migrations are not.
async fn status(config: &Config) -> Result<(), CliError> {
    let missing = insula_migrations::missing(&config.migration_url(), login(config).as_deref()).await;
    let missing = missing.map_err(cli_error(config))?;
    match insula_migrations::status(&config.migration_url()).await {
        Ok(migrations) => {
            for (name, applied) in migrations {
                say(format_args!("{} {name}", if applied { "applied" } else { "pending" }));
            }
        }
        // The list of missing parts explains this.
        Err(insula_migrations::Error::Unreadable) if !missing.is_empty() => {}
        Err(error) => return Err(cli_error(config)(error)),
    }
    missing.iter().for_each(|what| say(format_args!("missing {what}")));
    match missing.len() {
        0 => Ok(()),
        count => Err(CliError::failed(format_args!("{count} items are missing; {REPAIR}"))),
    }
}

const REPAIR: &str = "`insula migrate up` repairs them";

/// Applies pending migrations, and repairs roles and policies.
pub(super) async fn up(config: &Config) -> Result<Upgrade, CliError> {
    if config.database_url.is_none() {
        serve::data_folder(config)?;
    }
    let upgraded = insula_migrations::upgrade(&config.migration_url(), login(config).as_deref()).await;
    upgraded.map_err(cli_error(config))
}

/// Returns a function that adds the setting of the database to an error of migrations.
pub(super) fn cli_error(config: &Config) -> impl Fn(insula_migrations::Error) -> CliError {
    let setting = config.migration_setting();
    move |error| CliError::of_database(setting, &error)
}

/// What is missing in the database although all migrations are applied.
pub(super) async fn missing(config: &Config) -> Result<Vec<String>, insula_migrations::Error> {
    insula_migrations::missing(&config.migration_url(), login(config).as_deref()).await
}

/// What is missing in the database and `insula migrate up` would add, as a sentence. `None`: nothing.
pub(super) async fn shortfall(config: &Config) -> Result<Option<String>, insula_migrations::Error> {
    let url = config.migration_url();
    let missing = missing(config).await?;
    if let Some(first) = missing.first() {
        let count = missing.len();
        return Ok(Some(format!(
            "{count} items are missing in the database, such as {first}: run `insula migrate up`"
        )));
    }
    let pending = insula_migrations::pending(&url).await?;
    Ok(pending.then(|| "migrations are pending: run `insula migrate up`".to_owned()))
}

/// Returns whether the database can be used. Logs the reason if it cannot.
pub(super) async fn is_current(config: &Config) -> bool {
    match shortfall(config).await {
        Ok(None) => return true,
        Ok(Some(sentence)) => tracing::warn!("{sentence}"),
        Err(error) => tracing::warn!(%error, "cannot check whether migrations are pending"),
    }
    false
}

/// The database login of the application, if migrations use another one.
fn login(config: &Config) -> Option<String> {
    config.migration_database_url.as_ref()?;
    config.database_url.as_ref()?.login()
}

//! `insula migrate`: the schema, forward and back.

use insula_core::config::Config;

use super::{Fault, say, serve};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Apply what is pending; several processes may do so at once
    Up,
    /// Revert the newest migrations
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// Show what is applied and what is pending
    Status,
    /// Drop everything, then apply all migrations (not in production)
    Fresh,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), Fault> {
    let url = config.migration_url();
    match command {
        Command::Up => {
            up(config).await?.iter().for_each(|name| say(format_args!("applied {name}")));
            say("up to date");
        }
        Command::Down { steps } => {
            let reverted = insula_migrations::down(&url, *steps).await?;
            reverted.iter().for_each(|name| say(format_args!("reverted {name}")));
        }
        Command::Status => {
            for (name, applied) in insula_migrations::status(&url).await? {
                say(format_args!("{} {name}", if applied { "applied" } else { "pending" }));
            }
        }
        Command::Fresh if config.is_production() => {
            return Err(Fault::config("`migrate fresh` drops everything; it is refused in production"));
        }
        Command::Fresh => {
            let applied = insula_migrations::fresh(&url, login(config).as_deref()).await?;
            applied.iter().for_each(|name| say(format_args!("applied {name}")));
            say("up to date");
        }
    }
    Ok(())
}

/// Applies what is pending; gives the names.
pub(super) async fn up(config: &Config) -> Result<Vec<String>, Fault> {
    if config.database_url.is_none() {
        serve::data_folder(config)?;
    }
    Ok(insula_migrations::up(&config.migration_url(), login(config).as_deref()).await?)
}

/// Is there something to apply, or can that not be seen? Says so in the log.
pub(super) async fn is_pending(config: &Config) -> bool {
    match insula_migrations::pending(&config.migration_url()).await {
        Ok(true) => tracing::warn!("migrations are pending: run `insula migrate up`"),
        Ok(false) => return false,
        Err(error) => tracing::warn!(%error, "cannot see whether migrations are pending"),
    }
    true
}

/// The login of the running application, where migrations have another one.
fn login(config: &Config) -> Option<String> {
    config.migration_database_url.as_ref()?;
    let url = config.database_url();
    let (credentials, _) = url.split_once("://")?.1.rsplit_once('@')?;
    credentials.split(':').next().map(str::to_owned)
}

//! The configured database: connection, migrations, and the privileges of the login.

use insula_core::{
    runtime::{
        cluster::{Cluster, Namespace},
        config::Config,
        job_wakeup::JobWakeup,
    },
    storage::db::{Db, Options},
};

use super::{CliError, migrate, serve::data_folder};

/// Returns whether the schema of the database is current. Migrates first if the configuration says so.
pub(super) async fn is_current(config: &Config) -> Result<bool, CliError> {
    if !config.migrates_on_start() {
        return Ok(migrate::shortfall(config).await.map_err(migrate::cli_error(config))?.is_none());
    }
    let upgrade = migrate::up(config).await?;
    if let Some(last) = upgrade.applied.last() {
        tracing::info!(count = upgrade.applied.len(), last, "migrations applied");
    }
    for what in upgrade.repaired {
        tracing::info!(what, "database repaired");
    }
    Ok(true)
}

/// The namespace of this installation in Redis. Creates the database file if it is missing, because it
/// contains the id of the installation.
pub(super) async fn namespace(config: &Config) -> Result<Namespace, CliError> {
    // Without Redis the namespace is not used.
    if config.redis_url.is_none() {
        return Ok(Namespace::of("alone"));
    }
    if config.database_url.is_none() {
        data_folder(config)?;
    }
    let id = insula_migrations::installation(&config.database_url()).await;
    Ok(Namespace::of(&id.map_err(|error| CliError::of_database("DATABASE_URL", &error))?))
}

/// Warns of access between this installation and others in the same PostgreSQL cluster.
pub(super) async fn warn_of_sharing(config: &Config) {
    match insula_migrations::shared(&config.database_url()).await {
        Ok(sentences) => sentences.iter().for_each(|sentence| tracing::warn!("{sentence}")),
        Err(error) => {
            tracing::warn!(%error, "cannot check whether other installations share the database roles");
        }
    }
}

/// Opens the configured database, and creates the data folder if it is needed. `cluster` gets changes to
/// share with other processes, and `wakeup` gets new jobs.
pub(super) async fn connect(config: &Config, cluster: Cluster, wakeup: JobWakeup) -> Result<Db, CliError> {
    let url = config.database_url();
    if config.database_url.is_none() {
        data_folder(config)?;
    }
    let (pool_size, acquire_timeout) = (config.database_pool_size, config.database_acquire_timeout);
    let options = Options { pool_size, acquire_timeout, cluster, wakeup, ..Options::default() };
    let db = Db::connect(&url, &options).await?;
    // Before any time is compared. The next use of the database reports a failure.
    if let Err(error) = db.measure_skew().await {
        tracing::debug!(%error, "cannot read the clock of the database");
    }
    Ok(db)
}

/// Refuses a login that could bypass or disable row-level security.
pub(super) async fn check_login(config: &Config, db: &Db) -> Result<(), CliError> {
    let Some(fault) = db.excessive_login().await? else { return Ok(()) };
    let text = format!(
        "DATABASE_URL: the login `{0}` {1}; use a login for the application that owns no tables:\n\
         CREATE ROLE insula_login LOGIN NOINHERIT PASSWORD '…';\n\
         then set INSULA_MIGRATION_DATABASE_URL to a URL with `{0}`, and run `insula migrate up`, which grants the new login what it needs",
        fault.login,
        fault.privileges.join(" and ")
    );
    match config.requires_separate_database_login() {
        true => Err(CliError::config(text)),
        false => {
            tracing::debug!(login = fault.login, privileges = ?fault.privileges, "the database login has more privileges than production allows");
            Ok(())
        }
    }
}

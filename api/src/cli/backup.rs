//! `insula backup`: copies a SQLite database while it is in use.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use insula_core::{
    runtime::config::Config,
    storage::db::{BackupError, SqliteBackup},
};

use super::{CliError, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The file to write. It must not exist
    file: PathBuf,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    let (url, file) = (config.database_url(), &*args.file);
    if !url.starts_with("sqlite:") {
        return Err(CliError::failed(
            "`insula backup` copies SQLite databases. For PostgreSQL, run as a role with BYPASSRLS:\n\
             pg_dump --format=custom --no-owner --file=insula.dump \"$BACKUP_URL\"",
        ));
    }
    let backup = SqliteBackup::open(&url, file).await.map_err(|error| failure(file, &error))?;
    let bar = progress(backup.size);
    let partial = backup.partial().to_owned();
    let done = tokio::select! {
        done = backup.run() => done,
        never = watch(&bar, &partial) => match never {},
    };
    bar.finish_and_clear();
    let size = done.map_err(|error| failure(file, &error))?;
    say(format_args!("backed up and checked: {} ({})", file.display(), HumanBytes(size)));
    say("keep `secret.key` or INSULA_SECRET_KEY in another place: without it, the backup cannot be used");
    Ok(())
}

fn failure(file: &Path, error: &BackupError) -> CliError {
    let advice = match error {
        BackupError::Exists => "; choose another name, or remove it",
        BackupError::Damaged(_) => "; run `insula doctor`, and keep the backups that you have",
        BackupError::File(_) | BackupError::Database(_) => "",
    };
    CliError::failed(format_args!("{}: {error}{advice}", file.display()))
}

/// Shown only on a terminal, and without colours.
fn progress(size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes}/{total_bytes}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Shows the size of the growing file, without an end.
async fn watch(bar: &ProgressBar, file: &Path) -> Infallible {
    loop {
        if let Ok(written) = tokio::fs::metadata(file).await {
            bar.set_position(written.len());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

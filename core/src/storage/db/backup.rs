//! Backups of SQLite databases while they are in use.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    str::FromStr,
};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{fs, io};

/// Why a backup was not made. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file with the name of the backup.
    #[error("the file exists already")]
    Exists,
    /// The copy is not a sound database; the text is the first problem that SQLite names.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// The backup cannot be written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The database cannot be read, or there is no space for the copy.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A backup of a SQLite database in progress.
pub struct SqliteBackup {
    target: PathBuf,
    partial: PathBuf,
    source: SqliteConnection,
    /// The size of the database in bytes. A backup is at most as large.
    pub size: u64,
}

impl SqliteBackup {
    /// Opens the database at `url` without changing it, and creates `target` with `.partial` appended, which only the user
    /// of the process can read.
    ///
    /// # Errors
    /// If `target` exists, its folder cannot be written, or the database cannot be opened.
    pub async fn open(url: &str, target: &Path) -> Result<Self, BackupError> {
        if fs::try_exists(target).await? {
            return Err(BackupError::Exists);
        }
        let options = SqliteConnectOptions::from_str(url)?.read_only(true);
        let mut source = SqliteConnection::connect_with(&options).await?;
        let size: i64 =
            sqlx::query_scalar("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
                .fetch_one(&mut source)
                .await?;
        let mut partial = target.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut file = fs::OpenOptions::new();
        file.write(true).create(true).truncate(true);
        #[cfg(unix)]
        file.mode(0o600);
        file.open(&partial).await?;
        Ok(Self { target: target.to_owned(), partial, source, size: size.try_into().unwrap_or_default() })
    }

    /// The file that the backup is written to until it is complete.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Copies one consistent state of the database, which other processes can read and change meanwhile, and checks the copy.
    /// Returns its size in bytes. It is stored on disk then.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn run(mut self) -> Result<u64, BackupError> {
        let done = self.copy_and_check().await;
        if done.is_err() {
            // What is left is of no use; the error of the backup is more important than this one.
            drop(fs::remove_file(&self.partial).await);
        }
        done
    }

    async fn copy_and_check(&mut self) -> Result<u64, BackupError> {
        // https://www.sqlite.org/lang_vacuum.html#vacuuminto
        let into = self.partial.to_str().ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
        sqlx::query("VACUUM INTO ?").bind(into).execute(&mut self.source).await?;
        check(&self.partial).await?;
        let file = fs::File::open(&self.partial).await?;
        file.sync_all().await?;
        // Unlike a rename, a link never replaces a file.
        fs::hard_link(&self.partial, &self.target).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => BackupError::Exists,
            _ => error.into(),
        })?;
        fs::remove_file(&self.partial).await?;
        if let Some(folder) = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::File::open(folder).await?.sync_all().await?;
        }
        Ok(file.metadata().await?.len())
    }
}

/// Checks the pages, indexes and constraints of a database file, and its foreign keys.
async fn check(file: &Path) -> Result<(), BackupError> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let mut copy = SqliteConnection::connect_with(&options).await?;
    let problem: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut copy).await?;
    if problem != "ok" {
        return Err(BackupError::Damaged(problem));
    }
    let orphan = sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1");
    let orphan: Option<String> = orphan.fetch_optional(&mut copy).await?;
    copy.close().await?;
    match orphan {
        Some(table) => Err(BackupError::Damaged(format!("a row of {table} names a row that does not exist"))),
        None => Ok(()),
    }
}

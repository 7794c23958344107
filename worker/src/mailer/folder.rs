//! E-mails as files, one each, for people or programs that read the folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use insula_core::base::ids::JobId;
use tokio::task::spawn_blocking;

/// A folder for e-mails.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Creates the folder if it is missing.
    ///
    /// # Errors
    /// The error of the operating system, with the path.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// A description of the folder for people.
    pub(super) fn describe(&self) -> String {
        format!("the folder {}", self.0.display())
    }

    /// Writes the complete file before it gets its name. The name comes from the job, so a repeated job writes the same
    /// file.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) async fn put(&self, id: JobId, bytes: Vec<u8>) -> Result<(), String> {
        let folder = self.0.clone();
        let written = spawn_blocking(move || write(&folder, id, &bytes)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| format!("the folder of INSULA_MAIL_FOLDER: {error}"))
    }
}

fn write(folder: &Path, id: JobId, bytes: &[u8]) -> io::Result<()> {
    let (draft, final_path) = (folder.join(format!(".{id}.new")), folder.join(format!("{id}.eml")));
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, &final_path)?;
    // Makes the new name durable across a power failure.
    File::open(folder)?.sync_all()
}

//! Mails as files: one each, for whoever looks into the folder or takes them from there.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use insula_core::base::ids::JobId;
use tokio::task::spawn_blocking;

/// A folder that mails are written to.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder when it is missing.
    ///
    /// # Errors
    /// Why nothing can be written there.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        fs::create_dir_all(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Where the mails are.
    pub(super) fn describe(&self) -> String {
        format!("the folder {}", self.0.display())
    }

    /// Writes a mail in full before it has its name, which is that of its job: done twice, it is there once.
    ///
    /// # Errors
    /// Why it is not there.
    pub(super) async fn put(&self, id: JobId, bytes: Vec<u8>) -> Result<(), String> {
        let folder = self.0.clone();
        let written = spawn_blocking(move || write(&folder, id, &bytes)).await;
        let written = written.unwrap_or_else(|fault| Err(io::Error::other(fault)));
        written.map_err(|fault| format!("the folder of INSULA_MAIL_FOLDER: {fault}"))
    }
}

fn write(folder: &Path, id: JobId, bytes: &[u8]) -> io::Result<()> {
    let (draft, named) = (folder.join(format!(".{id}.new")), folder.join(format!("{id}.eml")));
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, &named)?;
    // The name itself must outlive a power cut, too.
    File::open(folder)?.sync_all()
}

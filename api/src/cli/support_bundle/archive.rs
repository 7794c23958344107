//! The archive: a compressed tar file that only its owner can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use insula_core::base::clock::Clock;

use crate::cli::CliError;

/// The folder in the archive.
const FOLDER: &str = "insula-support";

/// One file of the archive.
pub(super) struct BundleFile {
    pub(super) name: String,
    pub(super) text: String,
}

impl BundleFile {
    pub(super) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// Creates the file, which must not exist.
pub(super) fn create(file: &Path) -> Result<File, CliError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CliError::failed(format_args!("{}: it exists; choose another name, or remove it", file.display()))
        }
        _ => CliError::failed(format_args!("{}: cannot write it: {error}", file.display())),
    })
}

/// Writes the archive, and returns its size in bytes. If that fails, the file is removed.
pub(super) fn write(output: File, path: &Path, files: &[BundleFile]) -> Result<u64, CliError> {
    write_all(output, files).map_err(|error| {
        let removed = fs::remove_file(path);
        drop(removed);
        CliError::failed(format_args!("{}: cannot write it: {error}", path.display()))
    })
}

fn write_all(output: File, files: &[BundleFile]) -> io::Result<u64> {
    let mut archive = tar::Builder::new(GzEncoder::new(output, Compression::default()));
    let now = u64::try_from(Clock::System.now().timestamp()).unwrap_or_default();
    for BundleFile { name, text } in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(now);
        archive.append_data(&mut header, format!("{FOLDER}/{name}"), text.as_bytes())?;
    }
    let mut output = archive.into_inner()?.finish()?;
    output.flush()?;
    output.sync_all()?;
    Ok(output.metadata()?.len())
}

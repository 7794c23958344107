//! The last lines of the log files.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::archive::BundleFile;

/// Bytes of one file.
const TAIL: u64 = 512 * 1024;

/// Files with errors: those of the last days.
const MAX_ERROR_FILES: usize = 3;

/// The ends of the current files in `folder`, without lines that are cut. What cannot be read says why.
pub(super) fn tails(folder: &Path) -> Vec<BundleFile> {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) => {
            return vec![BundleFile::new("logs/unreadable.txt", format!("{}: {error}\n", folder.display()))];
        }
    };
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    // Those that were rotated by size end with a number.
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".jsonl")).collect();
    names.sort();
    let (errors, lines): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.contains("-errors."));
    let newest_errors = errors.into_iter().rev().take(MAX_ERROR_FILES);
    let tail = |name: String| {
        let text = tail(&folder.join(&name)).unwrap_or_else(|error| format!("{error}\n"));
        BundleFile::new(format!("logs/{name}"), text)
    };
    lines.into_iter().chain(newest_errors).map(tail).collect()
}

fn tail(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let skipped = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match (skipped, text.split_once('\n')) {
        (0, _) | (_, None) => text,
        (_, Some((_, whole_lines))) => whole_lines.to_owned(),
    })
}

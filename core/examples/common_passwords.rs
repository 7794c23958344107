//! Makes `core/src/identity/credentials/password/common.fst`, the passwords that everybody tries first: reads them from stdin,
//! one per line, and writes to stdout. `core/src/identity/credentials/password/common.md` says where they come from.

#![expect(clippy::print_stderr, reason = "stdout is the file")]

use std::{
    collections::BTreeSet,
    error::Error,
    io::{BufWriter, Read, Write, stdin, stdout},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = Vec::new();
    stdin().read_to_end(&mut lines)?;
    let lines = String::from_utf8_lossy(&lines);
    // What is shorter or longer is refused anyway.
    let passwords: BTreeSet<String> = lines
        .lines()
        .map(str::to_lowercase)
        .filter(|password| (8..=128).contains(&password.chars().count()))
        .collect();
    let mut set = fst::SetBuilder::new(BufWriter::new(stdout()))?;
    set.extend_iter(&passwords)?;
    set.into_inner()?.flush()?;
    eprintln!("{} passwords", passwords.len());
    Ok(())
}

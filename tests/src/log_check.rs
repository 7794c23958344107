//! Keeps what all servers of a run wrote to stderr, and looks for secrets and personal data in it at the end.
//!
//! `services` sets the folder, and checks it when its command has ended. A single test cannot do this, because no test is the
//! last one.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::{PASSWORD, test_env::setting};

/// The variable with the folder.
pub(crate) const FOLDER: &str = "INSULA_TEST_LOG_FOLDER";

/// The password that tests use where they need another one.
const OTHER_PASSWORD: &str = "hunter2";

/// The length from which on a random-looking word is a token or a key.
const MIN_TOKEN: usize = 40;

/// The target of lines with public signatures, which look like tokens.
const CHECKPOINT: &str = "audit::checkpoint";

/// The file of one server.
pub(crate) struct LogFile(Option<File>);

impl LogFile {
    /// Keeps nothing.
    pub(crate) const NONE: Self = Self(None);

    /// A new file in the folder of the run. Without such a folder, nothing is kept.
    pub(crate) fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}.log", process::id(), NUMBER.fetch_add(1, Relaxed));
        Self(setting(FOLDER).and_then(|folder| File::create(Path::new(&folder).join(name)).ok()))
    }

    /// Keeps a line.
    pub(crate) fn keep(&mut self, line: &str) {
        if let Some(file) = &mut self.0 {
            writeln!(file, "{line}").expect("the folder of the logs has room");
        }
    }
}

/// What the logs of a run contain.
#[derive(Debug, Default)]
pub(crate) struct CheckedLogs {
    /// Number of servers that wrote something.
    pub(crate) servers: usize,
    /// Number of lines.
    pub(crate) lines: usize,
    /// The lines with secrets or personal data, each with what it contains.
    pub(crate) found: Vec<String>,
}

/// Reads all logs in the folder.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn check(folder: &Path) -> io::Result<CheckedLogs> {
    let mut checked = CheckedLogs::default();
    for file in fs::read_dir(folder)? {
        let before = checked.lines;
        for line in BufReader::new(File::open(file?.path())?).lines() {
            let line = line?;
            checked.lines += 1;
            if let Some(what) = secret_in(&line) {
                checked.found.push(format!("{what}: {line}"));
            }
        }
        checked.servers += usize::from(checked.lines > before);
    }
    Ok(checked)
}

/// What kind of secret or personal data is in a line.
fn secret_in(line: &str) -> Option<&'static str> {
    let known = [(PASSWORD, "a password"), (OTHER_PASSWORD, "a password"), ("$argon2", "a password hash")];
    let known = known.iter().find(|(secret, _)| line.contains(secret)).map(|(_, what)| *what);
    let cookies = ["at=", "rt=", "csrf=", "dv="].map(|name| format!("__Host-{name}"));
    known
        .or_else(|| line.contains("PRIVATE KEY").then_some("a private key"))
        .or_else(|| cookies.iter().any(|cookie| line.contains(cookie)).then_some("a cookie"))
        .or_else(|| has_email(line).then_some("an e-mail address"))
        .or_else(|| (!line.contains(CHECKPOINT) && has_token(line)).then_some("a token"))
}

/// A word with `@`, and a dot after it.
fn has_email(line: &str) -> bool {
    line.match_indices('@').any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + 1..]);
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '-').unwrap_or(after.len());
        before.ends_with(|c: char| c.is_alphanumeric()) && after[..end].trim_matches('.').contains('.')
    })
}

/// Random base64 and JWTs have upper case, lower case and digits; names, paths and hashes do not.
fn has_token(line: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    line.split(|c| !is_part(c)).any(|word| {
        let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
        word.len() >= MIN_TOKEN
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_personal_data_are_found() {
        let access = r#"2026-12-01T08:51:29Z  INFO insula::access: method=POST path="/api/v1/auth/login" status=200 ms=0.3 request_id="0199f" trace_id="0af7651916cd43dd8448eb211c80319c""#;
        assert_eq!(secret_in(access), None);
        for (secret, what) in [
            (PASSWORD, "a password"),
            ("$argon2id$v=19$m=64,t=2,p=1$c2FsdA$aGFzaA", "a password hash"),
            ("ada@example.com", "an e-mail address"),
            ("<ada.lovelace@host-7.example.com>", "an e-mail address"),
            ("rt_0HbYd8yGqXWn3Zt5mVx1LkPz9RcTsQfE2uJaOiNwB7c", "a token"),
            ("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl", "a token"),
            ("__Host-at=abc", "a cookie"),
            ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ] {
            assert_eq!(secret_in(&format!("{access} {secret}")), Some(what), "{secret}");
        }
    }

    #[test]
    fn a_planted_secret_is_reported_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("1.log"), "started\nstopped\n").expect("a log");
        let checked = check(folder.path()).expect("readable logs");
        assert_eq!((checked.servers, checked.lines, checked.found.len()), (1, 2, 0));
        fs::write(folder.path().join("2.log"), "cannot send to ada@example.com\n").expect("a log");
        let checked = check(folder.path()).expect("readable logs");
        assert_eq!(checked.found, ["an e-mail address: cannot send to ada@example.com"]);
    }
}

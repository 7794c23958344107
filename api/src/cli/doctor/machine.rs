//! Checks of this machine and the configuration: contradictions, free disk space, open files.

use std::path::Path;

use insula_core::runtime::config::Config;
use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, getrlimit},
};

use super::report::CheckResult;
use crate::cli::open_files::connections_for;

/// Free bytes of a folder below which a check warns.
const LITTLE_SPACE: u64 = 1 << 30;

/// Free bytes of a folder below which a check fails.
const NO_SPACE: u64 = 100 << 20;

pub(super) fn check(config: &Config) -> Vec<CheckResult> {
    let mut checks = configuration(config);
    checks.push(disk("disk", &config.data_dir, "INSULA_DATA_DIR"));
    checks.extend(config.log_dir.as_deref().map(log_folder));
    checks.push(files(config));
    checks
}

fn configuration(config: &Config) -> Vec<CheckResult> {
    const NAME: &str = "configuration";
    if let Err(error) = config.refuse_insecure() {
        let fix = "Correct these settings; `insula config print` shows all values and their sources.";
        return vec![CheckResult::failed(NAME, error.to_string(), fix)];
    }
    let smells = smells(config);
    if smells.is_empty() {
        return vec![CheckResult::ok(NAME, format!("valid, {}", config.environment.as_str()))];
    }
    smells.into_iter().map(|(detail, fix)| CheckResult::warning(NAME, detail, fix)).collect()
}

/// What works, and is probably a mistake: a finding and its fix.
fn smells(config: &Config) -> Vec<(&'static str, &'static str)> {
    let is_postgres = config.database_url.as_ref().is_some_and(|url| url.expose().starts_with("postgres"));
    let is_noisy = ["debug", "trace"].iter().any(|level| config.log.contains(level));
    let all = [
        (
            config.is_production() && !is_postgres,
            "production uses SQLite, which only one server on this machine can use",
            "Set DATABASE_URL to a PostgreSQL database.",
        ),
        (
            config.replicas > 1 && config.redis_url.is_none(),
            "there are several servers (INSULA_REPLICAS) and no Redis",
            "Set REDIS_URL, so that rate limits and revoked access apply to all servers at once.",
        ),
        (
            config.is_production() && !config.sends_mail(),
            "no e-mail is sent in production, so nobody can reset a password",
            "Set INSULA_SMTP_URL.",
        ),
        (
            config.is_production() && config.trusted_proxies.is_none(),
            "no proxy is trusted, so all requests through a proxy count as one IP address",
            "Set INSULA_TRUSTED_PROXIES to the networks of your proxies, if there are any.",
        ),
        (
            config.secret_key_previous.is_some(),
            "INSULA_SECRET_KEY_PREVIOUS is still set",
            "Remove it when nothing made with the old key is needed any more (INSULA_SESSION_TTL).",
        ),
        (
            config.is_production() && is_noisy,
            "RUST_LOG contains debug or trace, which makes large logs",
            "Set RUST_LOG=info.",
        ),
    ];
    let found = all.into_iter().filter(|(is_found, ..)| *is_found);
    found.map(|(_, detail, fix)| (detail, fix)).collect()
}

/// The folder for log files, which a server creates if it is missing.
fn log_folder(folder: &Path) -> CheckResult {
    const NAME: &str = "log files";
    let existing = folder
        .ancestors()
        .find(|folder| folder.try_exists().is_ok_and(|exists| exists))
        .unwrap_or(Path::new("."));
    match access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if existing.is_dir() => disk(NAME, folder, "INSULA_LOG_DIR"),
        _ => CheckResult::failed(
            NAME,
            format!("{} is no folder that can be written", existing.display()),
            "Correct INSULA_LOG_DIR, or the owner of the folder.",
        ),
    }
}

fn disk(name: &'static str, folder: &Path, setting: &str) -> CheckResult {
    // A folder that does not exist yet will be on the disk of the closest folder above it.
    let existing = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let free = match statvfs(existing) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return CheckResult::skipped(name, format!("{}: {error}", existing.display())),
    };
    let detail = format!("{} MiB are free in {}", free >> 20, existing.display());
    let fix = format!("Delete files, or move {setting} to a larger disk.");
    match () {
        () if free < NO_SPACE => CheckResult::failed(name, detail, fix),
        () if free < LITTLE_SPACE => CheckResult::warning(name, detail, fix),
        () => CheckResult::ok(name, detail),
    }
}

fn files(config: &Config) -> CheckResult {
    const NAME: &str = "open files";
    // A server raises its soft limit to the hard limit.
    let Some(limit) = getrlimit(Resource::Nofile).maximum else { return CheckResult::ok(NAME, "no limit") };
    let (possible, wish) = (connections_for(limit), config.max_connections);
    match possible < wish {
        true => CheckResult::warning(
            NAME,
            format!(
                "the hard limit is {limit}, which allows {possible} connections instead of {wish} (INSULA_MAX_CONNECTIONS)"
            ),
            "Raise the hard limit (LimitNOFILE= in systemd, --ulimit nofile= in Docker), or lower INSULA_MAX_CONNECTIONS.",
        ),
        false => CheckResult::ok(NAME, format!("the hard limit is {limit}")),
    }
}

//! Checks of the database and of what it stores: migrations, protection of tenants, keys, audit logs.

use std::{fs, path::Path, time::Duration};

use chrono::TimeDelta;
use insula_core::{
    Error,
    base::crypto::MasterKey,
    runtime::{cluster::Cluster, config::Config, job_wakeup::JobWakeup},
    storage::{
        audit_chain,
        db::Db,
        outbox,
        signing_keys::{self, KeyState, SigningKey},
    },
};
use tokio::time::timeout;

use super::report::CheckResult;
use crate::cli::{database, migrate};

/// Maximum duration of all checks of the database.
const TIMEOUT: Duration = Duration::from_secs(20);

/// From this latency on, a check warns. Each request takes several round trips.
const SLOW: Duration = Duration::from_millis(10);

/// From this age on, an event without a seal is a problem.
const MAX_LAG: Duration = Duration::from_secs(60);

/// From this time on that a due job has waited, no worker seems to run.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// How late the rotation of a key may be.
const ROTATION_GRACE: TimeDelta = TimeDelta::days(1);

/// The names of the checks that need a database with a current schema.
const NEEDS_SCHEMA: [&str; 4] = ["signing keys", "audit log", "jobs", "clock"];

pub(super) async fn check(config: &Config) -> Vec<CheckResult> {
    let checks = timeout(TIMEOUT, check_all(config)).await;
    checks
        .unwrap_or_else(|_| vec![unreachable(&format!("it does not respond within {} s", TIMEOUT.as_secs()))])
}

fn unreachable(detail: &str) -> CheckResult {
    let fix =
        "Check DATABASE_URL, and that the database is running and accepts connections from this machine.";
    CheckResult::failed("database", detail, fix)
}

/// Why a SQLite database must not be opened: its file is missing, and opening it would create it.
pub(in crate::cli) fn missing_file(config: &Config) -> Option<String> {
    let url = config.database_url();
    let file = url.strip_prefix("sqlite://")?;
    let file = file.split('?').next().unwrap_or(file);
    (!Path::new(file).is_file()).then(|| format!("there is no file {file} yet"))
}

async fn check_all(config: &Config) -> Vec<CheckResult> {
    if let Some(reason) = missing_file(config) {
        let fix = "Run `insula migrate up`, or start a server in development.";
        return vec![CheckResult::failed("database", reason, fix)];
    }
    let db = match database::connect(config, Cluster::default(), JobWakeup::default()).await {
        Ok(db) => db,
        Err(error) => return vec![unreachable(&error.to_string())],
    };
    let facts = match db.inspect().await {
        Ok(facts) => facts,
        // Its text for clients says that the service is busy.
        Err(Error::Unavailable { .. } | Error::DatabaseUnreachable) => {
            return vec![unreachable("it does not respond")];
        }
        Err(error) => return vec![unreachable(&error.to_string())],
    };
    let latency = format!("{}, {:.1} ms per round trip", facts.version, facts.latency.as_secs_f64() * 1e3);
    let mut checks = vec![match facts.latency > SLOW {
        true => CheckResult::warning(
            "database",
            latency,
            "Move the servers closer to the database, or look for its overload.",
        ),
        false => CheckResult::ok("database", latency),
    }];
    if let Some((used, max)) = facts.connections {
        checks.push(connections(used, max, config));
        checks.push(login(config, &db).await);
    }
    if !facts.long_transactions.is_empty() {
        checks.push(CheckResult::warning(
            "transactions",
            format!("open for a long time: {}", facts.long_transactions.join(", ")),
            "End them with SELECT pg_terminate_backend(<process>): they hold locks and prevent vacuum.",
        ));
    }
    let (migrations, is_current) = migrations(config, &db).await;
    checks.extend(migrations);
    if is_current {
        checks.extend(keys(config, &db).await);
        checks.push(audit(&db).await);
        checks.push(jobs(&db).await);
        checks.push(match db.clock_warning() {
            Some(warning) => {
                CheckResult::failed("clock", warning, "Run NTP on this machine and on that of the database.")
            }
            None => CheckResult::ok("clock", "agrees with the database"),
        });
    } else {
        let skipped = |name| CheckResult::skipped(name, "needs a current schema");
        checks.extend(NEEDS_SCHEMA.map(skipped));
    }
    db.close().await;
    checks
}

fn connections(used: i64, max: i64, config: &Config) -> CheckResult {
    const NAME: &str = "connections";
    let needed = i64::from(config.database_pool_size) * i64::from(config.replicas);
    let detail = format!("{used} of {max} are in use; the servers can open {needed}");
    match needed >= max || used * 10 >= max * 9 {
        true => CheckResult::warning(
            NAME,
            detail,
            "Raise max_connections of PostgreSQL, or lower INSULA_DATABASE_POOL_SIZE.",
        ),
        false => CheckResult::ok(NAME, detail),
    }
}

async fn login(config: &Config, db: &Db) -> CheckResult {
    const NAME: &str = "login";
    let fix =
        "Use a login that owns no tables for DATABASE_URL, and the owner for INSULA_MIGRATION_DATABASE_URL.";
    match db.excessive_login().await {
        Ok(None) => CheckResult::ok(NAME, "has only the rights that it needs"),
        Ok(Some(excess)) => {
            let detail = format!("`{}` {}", excess.login, excess.privileges.join(" and "));
            match config.requires_separate_database_login() {
                true => CheckResult::failed(NAME, detail, fix),
                false => CheckResult::warning(NAME, detail, fix),
            }
        }
        Err(error) => CheckResult::failed(NAME, error.to_string(), "Look at the log of PostgreSQL."),
    }
}

/// The checks, and whether the schema is current.
async fn migrations(config: &Config, db: &Db) -> (Vec<CheckResult>, bool) {
    const NAME: &str = "migrations";
    const FIX: &str = "Run `insula migrate up`.";
    let status = match insula_migrations::status(&config.migration_url()).await {
        Ok(status) => status,
        Err(error) => {
            let fix = format!("Check {}, then run `insula migrate status`.", config.migration_setting());
            return (vec![CheckResult::failed(NAME, error.to_string(), fix)], false);
        }
    };
    let pending: Vec<_> =
        status.iter().filter(|(_, applied)| !applied).map(|(name, _)| name.as_str()).collect();
    if !pending.is_empty() {
        let detail = format!("{} of {} are pending: {}", pending.len(), status.len(), pending.join(", "));
        return (vec![CheckResult::failed(NAME, detail, FIX)], false);
    }
    let applied = CheckResult::ok(NAME, format!("all {} are applied", status.len()));
    if db.system() != "postgresql" {
        let protection =
            CheckResult::skipped("protection", "this database has no roles and no row-level security");
        return (vec![applied, protection], true);
    }
    let protection = match migrate::missing(config).await {
        Ok(missing) if missing.is_empty() => {
            CheckResult::ok("protection", "row-level security, policies, grants and triggers are complete")
        }
        Ok(missing) => CheckResult::failed("protection", missing.join("; "), FIX),
        Err(error) => CheckResult::failed("protection", error.to_string(), FIX),
    };
    (vec![applied, protection], true)
}

/// The master key, if there is one. Unlike a server, this creates none.
fn master_key(config: &Config) -> Option<MasterKey> {
    let key = match &config.secret_key {
        Some(key) => key.expose().clone(),
        None => fs::read_to_string(config.data_dir.join("secret.key")).ok()?.lines().next()?.to_owned(),
    };
    Some(MasterKey::new(key).with_previous(config.secret_key_previous.clone()))
}

async fn keys(config: &Config, db: &Db) -> Vec<CheckResult> {
    const NAME: &str = "signing keys";
    let keys = match signing_keys::list(db).await {
        Ok(keys) => keys,
        Err(error) => {
            return vec![CheckResult::failed(NAME, error.to_string(), "Look at the log of the database.")];
        }
    };
    if keys.is_empty() {
        return vec![CheckResult::skipped(NAME, "the first server will create them")];
    }
    let Some(master) = master_key(config) else {
        let fix = "Set INSULA_SECRET_KEY to the key of the servers, or INSULA_DATA_DIR to their folder.";
        return vec![CheckResult::failed(NAME, "there is no secret key to decrypt them with", fix)];
    };
    let unreadable: Vec<_> = keys
        .iter()
        .filter(|key| key.state != KeyState::Retiring && signing_keys::open(&master, key).is_err())
        .map(|key| format!("{} ({})", key.kid, key.purpose))
        .collect();
    if !unreadable.is_empty() {
        let detail = format!("cannot be decrypted with INSULA_SECRET_KEY: {}", unreadable.join(", "));
        let fix = "Set INSULA_SECRET_KEY to the key of the servers, or INSULA_SECRET_KEY_PREVIOUS to the previous one. If it is lost, run `insula keys rotate --now` and `insula keys rotate --audit`.";
        return vec![CheckResult::failed(NAME, detail, fix)];
    }
    let is_overdue = |key: &&SigningKey| {
        let age = db.now() - key.activates_at;
        let limit = TimeDelta::from_std(config.key_rotation).unwrap_or(TimeDelta::MAX);
        key.purpose == "access" && key.state == KeyState::Active && age > limit + ROTATION_GRACE
    };
    match keys.iter().find(is_overdue) {
        Some(key) => {
            let detail = format!("{} signs for longer than INSULA_KEY_ROTATION", key.kid);
            vec![CheckResult::warning(NAME, detail, "Start a worker, or run `insula keys rotate`.")]
        }
        None => vec![CheckResult::ok(NAME, format!("all {} can be decrypted", keys.len()))],
    }
}

async fn audit(db: &Db) -> CheckResult {
    const NAME: &str = "audit log";
    match audit_chain::unsealed(db).await {
        Ok(unsealed) if unsealed.lag > MAX_LAG => CheckResult::warning(
            NAME,
            format!("the oldest event without a seal has waited for {} s", unsealed.lag.as_secs()),
            "Start a worker. If one runs, its log names the audit log that cannot be sealed.",
        ),
        Ok(_) => CheckResult::ok(NAME, "all events are sealed"),
        Err(error) => CheckResult::failed(NAME, error.to_string(), "Look at the log of the database."),
    }
}

async fn jobs(db: &Db) -> CheckResult {
    const NAME: &str = "jobs";
    let depths = match outbox::depths(db).await {
        Ok(depths) => depths,
        Err(error) => {
            return CheckResult::failed(NAME, error.to_string(), "Look at the log of the database.");
        }
    };
    let oldest = depths.iter().map(|depth| depth.oldest).max().unwrap_or_default();
    let (pending, dead) =
        depths.iter().fold((0, 0), |(pending, dead), depth| (pending + depth.pending, dead + depth.dead));
    match () {
        () if oldest > MAX_WAIT => CheckResult::warning(
            NAME,
            format!("a due job has waited for {} s", oldest.as_secs()),
            "Start a worker. If one runs, check the mail server, and whether the queue is paused (/admin/queues).",
        ),
        () if dead > 0 => CheckResult::warning(
            NAME,
            format!("{dead} jobs are dead"),
            "Look at their errors (/admin/jobs?state=dead), then retry or delete them.",
        ),
        () => CheckResult::ok(NAME, format!("{pending} are pending, and none has waited for long")),
    }
}

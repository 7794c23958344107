//! `insula keys`: which keys sign access tokens and audit logs, and new ones in their place.

use chrono::{DateTime, SecondsFormat, Utc};
use insula_core::{
    base::permissions::AuditOrigin,
    runtime::{cluster::Cluster, config::Config, job_wakeup::JobWakeup},
    storage::{
        db::Db,
        signing_keys::{self, Schedule},
    },
};

use super::{Fault, database, migrate, say, serve};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Publish a new key, which takes over after `INSULA_KEY_LEAD`; nobody notices
    Rotate {
        /// Remove all keys and let a new one sign at once: they were stolen, or do not open any more. Every access token
        /// signed so far is refused
        #[arg(long)]
        now: bool,
        /// Let a new key sign audit logs, instead of access tokens: the one before does not open any more, or others may
        /// have it. What it signed is verified with it still, as long as it opens
        #[arg(long, conflicts_with = "now")]
        audit: bool,
    },
    /// Show the keys, one a line: kid, purpose, state, since or from when it signs, when it was made
    List,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), Fault> {
    match command {
        Command::Rotate { now, audit } => {
            // Before anything is wrapped with a key that servers would not start with.
            config.refuse_insecure()?;
            if config.migrates_on_start() {
                migrate::up(config).await?;
            }
            let db = database::connect(config, Cluster::default(), JobWakeup::default()).await?;
            match audit {
                true => rotate_audit(config, &db).await?,
                false => rotate(config, &db, *now).await?,
            }
            db.close().await;
        }
        Command::List => {
            let db = database::connect(config, Cluster::default(), JobWakeup::default()).await?;
            list(&db).await?;
            db.close().await;
        }
    }
    Ok(())
}

async fn rotate(config: &Config, db: &Db, now: bool) -> Result<(), Fault> {
    let master = serve::master_key(config)?;
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let key = match now {
        true => signing_keys::replace(&tx, &master).await?,
        false => signing_keys::rotate(&tx, &master, &Schedule::of(config)).await?,
    };
    tx.commit().await?;
    say(match now {
        true => format!(
            "{} signs now, and every other key is removed; servers follow within {} s",
            key.kid,
            config.key_reload().as_secs_f64()
        ),
        false => format!("{} is published, and signs from {} on", key.kid, instant(key.activates_at)),
    });
    Ok(())
}

async fn rotate_audit(config: &Config, db: &Db) -> Result<(), Fault> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let key = signing_keys::replace_audit_key(&tx, &serve::master_key(config)?).await?;
    tx.commit().await?;
    say(format_args!("{} signs audit logs now", key.kid));
    Ok(())
}

async fn list(db: &Db) -> Result<(), Fault> {
    for key in signing_keys::list(db).await? {
        let (signs, made) = (instant(key.activates_at), instant(key.created_at));
        say(format_args!("{}  {:6}  {:8}  {signs}  {made}", key.kid, key.purpose, key.state.as_str()));
    }
    Ok(())
}

fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

//! `insula keys`: lists and rotates the keys that sign access tokens and audit logs.

use chrono::{DateTime, SecondsFormat, Utc};
use insula_core::{
    base::permissions::AuditOrigin,
    runtime::{cluster::Cluster, config::Config, job_wakeup::JobWakeup},
    storage::{
        db::Db,
        signing_keys::{self, Schedule},
    },
};

use super::{CliError, database, migrate, say, serve};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Publish a new key, which starts to sign after `INSULA_KEY_LEAD`; existing tokens stay valid
    Rotate {
        /// Remove all keys and sign with a new key immediately, for keys that were stolen or cannot be
        /// decrypted. All access tokens signed so far are refused
        #[arg(long)]
        now: bool,
        /// Replace the key that signs audit logs instead, if it cannot be decrypted or may have been stolen.
        /// The old key still verifies what it signed, if it can be decrypted
        #[arg(long, conflicts_with = "now")]
        audit: bool,
    },
    /// List the keys, one per line: key id, purpose, state, start of signing, creation time
    List,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Rotate { now, audit } => {
            // Before a key is encrypted with a master key that servers would refuse.
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

async fn rotate(config: &Config, db: &Db, now: bool) -> Result<(), CliError> {
    let master = serve::master_key(config)?;
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let key = match now {
        true => signing_keys::replace(&tx, &master).await?,
        false => signing_keys::rotate(&tx, &master, &Schedule::of(config)).await?,
    };
    tx.commit().await?;
    say(match now {
        true => format!(
            "{} signs from now on, and all other keys are removed; servers use it within {} s",
            key.kid,
            config.key_reload().as_secs_f64()
        ),
        false => format!("{} is published, and signs from {}", key.kid, instant(key.activates_at)),
    });
    Ok(())
}

async fn rotate_audit(config: &Config, db: &Db) -> Result<(), CliError> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let key = signing_keys::replace_audit_key(&tx, &serve::master_key(config)?).await?;
    tx.commit().await?;
    say(format_args!("{} signs audit logs from now on", key.kid));
    Ok(())
}

async fn list(db: &Db) -> Result<(), CliError> {
    for key in signing_keys::list(db).await? {
        let (signs, made) = (instant(key.activates_at), instant(key.created_at));
        say(format_args!("{}  {:6}  {:8}  {signs}  {made}", key.kid, key.purpose, key.state.as_str()));
    }
    Ok(())
}

fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

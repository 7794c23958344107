//! The key that signs audit logs. It has no turns: what it signed is to be verified for as long as there are logs, so that a
//! key that has signed once is kept for ever, with its public part at least.

use sea_orm::{ActiveValue::Set, ColumnTrait};
use serde_json::json;

use super::{KeyPair, PublicKey, SigningKey, State, changed, create, entity, list, record, rewrap, unwrap};
use crate::{
    Error, Result,
    base::{crypto::MasterKey, error::ErrorCode, permissions::AuditOrigin},
    storage::{
        audit::{Action, Details},
        db::{Db, GlobalTx},
    },
};

/// The purpose of the key.
const AUDIT: &str = "audit";

/// The key that signs now; made when there is none, and wrapped anew when the previous master key had wrapped it.
///
/// # Errors
/// `Misconfigured` when neither master key opens it.
pub async fn audit_key(db: &Db, master: &MasterKey) -> Result<KeyPair> {
    let known = list(db).await?.into_iter().filter(|key| key.purpose == AUDIT).collect::<Vec<_>>();
    // Those of before too: soon nobody may have the previous master key.
    for key in &known {
        if unwrap(master, key).is_ok_and(|unwrapped| unwrapped.is_outdated) {
            let tx = db.begin_global(AuditOrigin::WORKER).await?;
            rewrap(&tx, master, key).await?;
            tx.commit().await?;
        }
    }
    if let Some(key) = active(known) {
        return open(master, &key);
    }
    let tx = db.begin_global(AuditOrigin::WORKER).await?;
    match create(&tx, master, AUDIT, State::Active, tx.now()).await {
        Ok(_) => tx.commit().await?,
        // Another process was faster.
        Err(error) if error.code() == ErrorCode::Conflict => drop(tx),
        Err(error) => return Err(error),
    }
    let made = active(list(db).await?).ok_or(ErrorCode::Conflict.refuse())?;
    open(master, &made)
}

fn open(master: &MasterKey, key: &SigningKey) -> Result<KeyPair> {
    unwrap(master, key).map(|unwrapped| unwrapped.pair).map_err(|_| {
        Error::Misconfigured(
            "the signing key of audit logs cannot be decrypted with INSULA_SECRET_KEY: set INSULA_SECRET_KEY_PREVIOUS to the previous value; if it is lost, `insula keys rotate --audit` creates a new signing key",
        )
    })
}

/// Lets a new key sign from now on; the one before stays known.
///
/// # Errors
/// `CONFLICT` when another process did it at the same time.
pub async fn replace_audit_key(tx: &GlobalTx, master: &MasterKey) -> Result<SigningKey> {
    let mut before = None;
    for key in tx
        .find::<entity::Entity>()
        .filter(entity::Column::Purpose.eq(AUDIT))
        .all_locked(entity::Column::Id)
        .await?
    {
        if key.state == State::Active {
            tx.update(entity::ActiveModel { state: Set(State::Retiring), ..changed(tx, &key) }).await?;
            before = Some(key.kid);
        }
    }
    let key = create(tx, master, AUDIT, State::Active, tx.now()).await?;
    let active = |kid: Option<&String>| json!({ "active": kid });
    let details = Details::changed(active(before.as_ref()), active(Some(&key.kid)));
    record(tx, Action::SigningKeyActivated, &key, details).await?;
    Ok(key)
}

/// Every key that signs or has signed audit logs. One that does not open with the master key is left out: whoever can write
/// rows could have slipped in his own.
///
/// # Errors
/// Whatever the database refuses.
pub async fn audit_public_keys(db: &Db, master: &MasterKey) -> Result<Vec<PublicKey>> {
    let keys = list(db).await?.into_iter().filter(|key| key.purpose == AUDIT);
    Ok(keys.filter_map(|key| Some(unwrap(master, &key).ok()?.pair.public_key())).collect())
}

fn active(keys: Vec<SigningKey>) -> Option<SigningKey> {
    keys.into_iter().find(|key| key.purpose == AUDIT && key.state == State::Active)
}

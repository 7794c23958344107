//! The key that signs audit logs. It is not rotated by time. Its signatures must stay verifiable for as long as the
//! logs exist, so keys that signed once are kept forever.

use sea_orm::{ActiveValue::Set, ColumnTrait};
use serde_json::json;

use super::{
    KeyPair, KeyState, PublicKey, SigningKey, create, entity, list, record, rewrap, unwrap, update_of,
};
use crate::{
    Error, Result,
    base::{crypto::MasterKey, error::ErrorCode, permissions::AuditOrigin},
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTx},
    },
};

/// The purpose of the key.
const AUDIT: &str = "audit";

/// The active key. It is created if there is none, and encrypted again if it is encrypted with the previous master key.
///
/// # Errors
/// `Misconfigured` if neither master key decrypts it.
pub async fn audit_key(db: &Db, master: &MasterKey) -> Result<KeyPair> {
    let keys = list(db).await?.into_iter().filter(|key| key.purpose == AUDIT).collect::<Vec<_>>();
    // Earlier keys, too, because the previous master key may soon be discarded.
    for key in &keys {
        if unwrap(master, key).is_ok_and(|unwrapped| unwrapped.is_outdated) {
            let tx = db.begin_global(AuditOrigin::WORKER).await?;
            rewrap(&tx, master, key).await?;
            tx.commit().await?;
        }
    }
    if let Some(key) = find_active(keys) {
        return open(master, &key);
    }
    let tx = db.begin_global(AuditOrigin::WORKER).await?;
    match create(&tx, master, AUDIT, KeyState::Active, tx.now()).await {
        Ok(_) => tx.commit().await?,
        // Another process created the key first.
        Err(error) if error.code() == ErrorCode::Conflict => drop(tx),
        Err(error) => return Err(error),
    }
    let created = find_active(list(db).await?).ok_or(ErrorCode::Conflict.refuse())?;
    open(master, &created)
}

fn open(master: &MasterKey, key: &SigningKey) -> Result<KeyPair> {
    unwrap(master, key).map(|unwrapped| unwrapped.pair).map_err(|_| {
        Error::Misconfigured(
            "the signing key of audit logs cannot be decrypted with INSULA_SECRET_KEY: set INSULA_SECRET_KEY_PREVIOUS to the previous value; if it is lost, `insula keys rotate --audit` creates a new signing key",
        )
    })
}

/// Replaces the active key with a new one. The previous key can still verify.
///
/// # Errors
/// `CONFLICT` if another process did it at the same time.
pub async fn replace_audit_key(tx: &GlobalTx, master: &MasterKey) -> Result<SigningKey> {
    let mut before = None;
    for key in tx
        .find::<entity::Entity>()
        .filter(entity::Column::Purpose.eq(AUDIT))
        .all_locked(entity::Column::Id)
        .await?
    {
        if key.state == KeyState::Active {
            tx.update(entity::ActiveModel { state: Set(KeyState::Retiring), ..update_of(tx, &key) }).await?;
            before = Some(key.kid);
        }
    }
    let key = create(tx, master, AUDIT, KeyState::Active, tx.now()).await?;
    let active = |kid: Option<&String>| json!({ "active": kid });
    let details = EventDetails::changed(active(before.as_ref()), active(Some(&key.kid)));
    record(tx, Action::SigningKeyActivated, &key, details).await?;
    Ok(key)
}

/// All keys that sign or signed audit logs. A key that the master key does not decrypt is left out, because an attacker
/// who can write rows could have added it.
///
/// # Errors
/// Database errors.
pub async fn audit_public_keys(db: &Db, master: &MasterKey) -> Result<Vec<PublicKey>> {
    let keys = list(db).await?.into_iter().filter(|key| key.purpose == AUDIT);
    Ok(keys.filter_map(|key| Some(unwrap(master, &key).ok()?.pair.public_key())).collect())
}

fn find_active(keys: Vec<SigningKey>) -> Option<SigningKey> {
    keys.into_iter().find(|key| key.purpose == AUDIT && key.state == KeyState::Active)
}

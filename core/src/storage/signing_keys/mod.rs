//! The signing keys of access tokens and of audit logs. They are rows, so that all processes use the same key and it
//! can be replaced.
//!
//! A key is published as `next` for long enough that every verifier learns it. Then it is `active` and signs, and the
//! previous key is `retiring` until the last token it signed has expired. A unique index allows at most one `next` and
//! one `active` key. If several processes do the same at once, one succeeds and the others get `CONFLICT`.

mod audit_key;
mod entity;
mod pair;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait,
    sea_query::{Asterisk, Order, Query},
};
use serde_json::json;

pub use audit_key::{audit_key, audit_public_keys, replace_audit_key};
pub use entity::{KeyState, Model as SigningKey};
pub use pair::{KeyPair, PublicKey};

use crate::{
    Error, Result,
    base::{crypto::MasterKey, ids::SigningKeyId},
    runtime::config::Config,
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTx},
    },
};

/// The purpose of the keys of access tokens.
const ACCESS: &str = "access";

/// Durations in the life of a key.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// How long a key signs before its successor is published.
    pub rotation: Duration,
    /// How long a key is published before it signs.
    pub lead: Duration,
    /// How long a key is kept after it last signed.
    pub retention: Duration,
}

impl Schedule {
    /// The configured durations. A key is kept for twice the lifetime of a token, plus the time until every process has
    /// noticed that it no longer signs.
    pub fn of(config: &Config) -> Self {
        let retention = 2 * config.access_token_ttl + config.key_reload();
        Self { rotation: config.key_rotation, lead: config.key_lead, retention }
    }
}

/// The keys of access tokens, the oldest first.
///
/// # Errors
/// Database errors.
pub async fn list_access_keys(db: &Db) -> Result<Vec<SigningKey>> {
    let keys = list(db).await?;
    Ok(keys.into_iter().filter(|key| key.purpose == ACCESS).collect())
}

/// All keys, the oldest first.
///
/// # Errors
/// Database errors.
pub async fn list(db: &Db) -> Result<Vec<SigningKey>> {
    #[expect(clippy::disallowed_methods, reason = "keys belong to no organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query.column(Asterisk).from(entity::Entity).order_by(entity::Column::Id, Order::Asc);
    tx.rows(&query).await
}

/// Decrypts the key pair of a row.
///
/// # Errors
/// `Misconfigured` if it is encrypted with an unknown master key, or was altered.
pub fn open(master: &MasterKey, key: &SigningKey) -> Result<KeyPair> {
    unwrap(master, key).map(|unwrapped| unwrapped.pair)
}

/// Does what is due: creates the first key, publishes a successor, activates it, deletes retired keys, and encrypts
/// keys again that are encrypted with the previous master key. It can be repeated, and several processes can run it at
/// once.
///
/// # Errors
/// `CONFLICT` if another process did it at the same time; `Misconfigured` if a key cannot be decrypted.
pub async fn advance(tx: &GlobalTx, master: &MasterKey, schedule: &Schedule) -> Result<()> {
    let (mut active, mut next) = (None, None);
    for key in lock_all(tx).await? {
        if key.expires_at.is_some_and(|end| end <= tx.now()) {
            remove(tx, &key, "retired").await?;
            continue;
        }
        rewrap(tx, master, &key).await?;
        match key.state {
            KeyState::Active => active = Some(key),
            KeyState::Next => next = Some(key),
            KeyState::Retiring => {}
        }
    }
    match (active, next) {
        (None, None) => create(tx, master, ACCESS, KeyState::Active, tx.now()).await.map(drop),
        (None, Some(next)) => activate(tx, &next, None).await,
        (Some(active), Some(next)) if next.activates_at <= tx.now() => {
            retire(tx, &active, schedule).await?;
            activate(tx, &next, Some(&active)).await
        }
        (Some(active), None) if active.activates_at + schedule.rotation <= tx.now() => {
            create(tx, master, ACCESS, KeyState::Next, tx.now() + schedule.lead).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Publishes the successor of the active key, unless one is published already, and returns it.
///
/// # Errors
/// Those of [`advance`].
pub async fn rotate(tx: &GlobalTx, master: &MasterKey, schedule: &Schedule) -> Result<SigningKey> {
    advance(tx, master, schedule).await?;
    match lock_all(tx).await?.into_iter().find(|key| key.state == KeyState::Next) {
        Some(next) => Ok(next),
        None => create(tx, master, ACCESS, KeyState::Next, tx.now() + schedule.lead).await,
    }
}

/// Deletes all keys and creates one that signs at once. For keys that others may know, or that can no longer be
/// decrypted. Tokens that were signed before become invalid when a process notices the new key.
///
/// # Errors
/// `CONFLICT` if another process created a key at the same time.
pub async fn replace(tx: &GlobalTx, master: &MasterKey) -> Result<SigningKey> {
    for key in lock_all(tx).await? {
        remove(tx, &key, "replaced").await?;
    }
    create(tx, master, ACCESS, KeyState::Active, tx.now()).await
}

/// The keys, locked against other processes.
async fn lock_all(tx: &GlobalTx) -> Result<Vec<SigningKey>> {
    tx.find::<entity::Entity>()
        .filter(entity::Column::Purpose.eq(ACCESS))
        .all_locked(entity::Column::Id)
        .await
}

fn unwrap(master: &MasterKey, key: &SigningKey) -> Result<pair::Unwrapped> {
    KeyPair::unwrap(master, key).ok_or(Error::Misconfigured(
        "a signing key in the database cannot be decrypted with INSULA_SECRET_KEY: set INSULA_SECRET_KEY_PREVIOUS to the previous value; if it is lost, `insula keys rotate --now` creates a new signing key, and all access tokens must be refreshed",
    ))
}

async fn rewrap(tx: &GlobalTx, master: &MasterKey, key: &SigningKey) -> Result<()> {
    let unwrapped = unwrap(master, key)?;
    if !unwrapped.is_outdated {
        return Ok(());
    }
    let wrapped = unwrapped.pair.wrap(master, &key.purpose)?;
    tx.update(entity::ActiveModel { wrapped_private: Set(wrapped), ..update_of(tx, key) }).await?;
    record(tx, Action::SigningKeyRewrapped, key, EventDetails::changed(json!({}), json!({}))).await
}

async fn create(
    tx: &GlobalTx,
    master: &MasterKey,
    purpose: &str,
    state: KeyState,
    activates_at: DateTime<Utc>,
) -> Result<SigningKey> {
    let (pair, now) = (KeyPair::generate()?, tx.now());
    let key = tx
        .insert(entity::ActiveModel {
            id: Set(SigningKeyId::new(now)),
            purpose: Set(purpose.to_owned()),
            kid: Set(pair.kid().to_owned()),
            public: Set(pair.public().to_vec()),
            wrapped_private: Set(pair.wrap(master, purpose)?),
            state: Set(state),
            activates_at: Set(activates_at),
            expires_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .await?;
    let facts = json!({ "purpose": purpose, "state": state.as_str(), "activates_at": activates_at });
    record(tx, Action::SigningKeyCreated, &key, EventDetails::created(facts)).await?;
    Ok(key)
}

/// Must run before its successor is activated, because there is only one `active` key.
async fn retire(tx: &GlobalTx, key: &SigningKey, schedule: &Schedule) -> Result<()> {
    let expires_at = Set(Some(tx.now() + schedule.retention));
    tx.update(entity::ActiveModel { state: Set(KeyState::Retiring), expires_at, ..update_of(tx, key) })
        .await?;
    Ok(())
}

async fn activate(tx: &GlobalTx, key: &SigningKey, before: Option<&SigningKey>) -> Result<()> {
    tx.update(entity::ActiveModel {
        state: Set(KeyState::Active),
        activates_at: Set(tx.now()),
        ..update_of(tx, key)
    })
    .await?;
    let active = |key: Option<&SigningKey>| json!({ "active": key.map(|key| &key.kid) });
    let details = EventDetails::changed(active(before), active(Some(key)));
    record(tx, Action::SigningKeyActivated, key, details).await
}

async fn remove(tx: &GlobalTx, key: &SigningKey, reason: &str) -> Result<()> {
    tx.delete::<entity::Entity>(entity::Column::Id.eq(key.id)).await?;
    let facts = json!({ "purpose": key.purpose, "state": key.state.as_str(), "reason": reason });
    record(tx, Action::SigningKeyRemoved, key, EventDetails::removed(facts)).await
}

fn update_of(tx: &GlobalTx, key: &SigningKey) -> entity::ActiveModel {
    entity::ActiveModel { id: Set(key.id), updated_at: Set(tx.now()), ..Default::default() }
}

async fn record(tx: &GlobalTx, action: Action, key: &SigningKey, details: EventDetails) -> Result<()> {
    let platform = tx.platform().await?;
    platform.record(action, &key.kid, details).await
}

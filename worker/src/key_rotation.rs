//! Replaces the keys that sign access tokens.

use std::time::Duration;

use insula_core::{
    base::crypto::MasterKey,
    lifecycle::maintenance,
    storage::{db::Db, signing_keys::Schedule},
};
use tokio_util::sync::CancellationToken;

use crate::every;

/// When signing keys are replaced.
pub struct KeyRotation {
    /// Encrypts the private keys.
    pub master: MasterKey,
    /// How long each stage of a key lasts.
    pub schedule: Schedule,
    /// How often to check whether a stage is over.
    pub every: Duration,
}

/// Rotates keys that are due until `stop`. Every process does this; the first one to claim a rotation makes it.
pub(crate) async fn run(db: &Db, keys: &KeyRotation, stop: &CancellationToken) {
    let mut tick = every(keys.every);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = maintenance::advance_keys(db, &keys.master, &keys.schedule).await {
            tracing::warn!(%error, "could not rotate the signing keys");
        }
    }
}

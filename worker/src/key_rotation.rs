//! The keys that sign access tokens take turns.

use std::time::Duration;

use insula_core::{
    base::crypto::MasterKey,
    lifecycle::maintenance,
    storage::{db::Db, signing_keys::Schedule},
};
use tokio_util::sync::CancellationToken;

use crate::every;

/// How the keys that sign take turns.
pub struct Keys {
    /// Wraps their private parts.
    pub master: MasterKey,
    /// How long each stage lasts.
    pub schedule: Schedule,
    /// How often it is looked whether one is over.
    pub every: Duration,
}

/// Looks after them until `stop`. Every process does: who is second finds nothing to do.
pub(crate) async fn take_turns(db: &Db, keys: &Keys, stop: &CancellationToken) {
    let mut tick = every(keys.every);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = maintenance::advance_keys(db, &keys.master, &keys.schedule).await {
            tracing::warn!(%error, "could not rotate the signing keys");
        }
    }
}

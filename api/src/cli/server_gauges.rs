//! Gauges of a server: pending migrations, and when the key of access tokens is due to be replaced.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use insula_api::state::AppState;
use insula_core::runtime::resource_metrics::observe_gauge;

/// Registers the gauges. `rotation`: how long a key signs before its successor is published.
pub(super) fn observe(state: &Arc<AppState>, rotation: Duration) {
    // Weak, because metrics live as long as the process.
    let weak = Arc::downgrade(state);
    let help = "1 while this server waits for migrations";
    observe_gauge("insula.migrations.pending", "{server}", help, move || {
        Some(f64::from(u8::from(!weak.upgrade()?.is_migrated())))
    });
    let weak = Arc::downgrade(state);
    let help = "Time until the key of access tokens is due to be replaced; negative if it is overdue";
    observe_gauge("insula.signing_key.rotation_due", "s", help, move || {
        let state = weak.upgrade()?;
        let age = state.db.now() - state.tokens.signs_since()?;
        Some((TimeDelta::from_std(rotation).ok()? - age).as_seconds_f64())
    });
}

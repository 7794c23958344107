//! Seals audit logs soon after events were written.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use insula_core::{
    Result,
    base::ids::OrgId,
    runtime::telemetry::metrics,
    storage::{
        audit_chain::{self, Signer, Unsealed},
        db::Db,
    },
};
use tokio_util::sync::CancellationToken;

use crate::every;

/// How often to look for unsealed events.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Seals new events until `stop`, and once more after it, so that the events of answered requests are sealed.
pub(crate) async fn run(db: &Db, signer: &Signer, stop: &CancellationToken) {
    let (mut tick, mut is_over) = (every(LOOK_EVERY), false);
    let (mut lag, mut failing) = (Lag::default(), HashSet::new());
    while !is_over {
        is_over = stop.run_until_cancelled(tick.tick()).await.is_none();
        let flushed = flush(db, signer, &mut lag, &mut failing).await;
        lag.report();
        if let Err(error) = flushed {
            tracing::warn!(%error, "could not seal the audit logs");
        }
    }
}

/// Seals batches until only logs that fail are left. `failing`: the logs that failed the last time.
///
/// The logs take turns, one batch each. New events of other logs are looked for each [`LOOK_EVERY`], because a look costs
/// more the longer the backlog is.
async fn flush(db: &Db, signer: &Signer, lag: &mut Lag, failing: &mut HashSet<OrgId>) -> Result<()> {
    let mut failed = HashSet::new();
    loop {
        let mut unsealed = audit_chain::unsealed(db).await?;
        lag.measure(&unsealed);
        let (looked, mut events) = (Instant::now(), 0);
        while !unsealed.is_empty() && (events == 0 || looked.elapsed() < LOOK_EVERY) {
            let flushed = audit_chain::flush(db, signer, &mut unsealed, &failed).await?;
            for (organization, error) in flushed.failed {
                // Logged once; after that the lag shows it.
                if !failing.contains(&organization) {
                    tracing::error!(%error, %organization, "could not seal an audit log");
                }
                failed.insert(organization);
            }
            events += flushed.events;
            metrics::audit_sealed(flushed.events);
        }
        if events == 0 {
            break;
        }
    }
    for organization in failing.difference(&failed) {
        tracing::info!(%organization, "an audit log can be sealed again");
    }
    *failing = failed;
    Ok(())
}

/// The age of the oldest unsealed event when it was measured, and when that was. It grows while nothing can be measured.
#[derive(Default)]
struct Lag(Option<(Duration, Instant)>);

impl Lag {
    fn measure(&mut self, unsealed: &Unsealed) {
        self.0 = (!unsealed.lag.is_zero()).then(|| (unsealed.lag, Instant::now()));
        self.report();
    }

    fn report(&self) {
        let lag = self.0.map_or(Duration::ZERO, |(lag, measured)| lag + measured.elapsed());
        metrics::oldest_unsealed(lag.as_secs_f64());
    }
}

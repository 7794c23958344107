//! Audit logs are sealed soon after something was written into them.

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

/// How often it is looked for events.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Seals what there is until `stop`, and once more then: what was answered before has been written by now.
pub(crate) async fn run(db: &Db, signer: &Signer, stop: &CancellationToken) {
    let (mut tick, mut is_over) = (every(LOOK_EVERY), false);
    let (mut lag, mut failing) = (Lag::default(), HashSet::new());
    while !is_over {
        is_over = stop.run_until_cancelled(tick.tick()).await.is_none();
        let flushed = flush(db, signer, &mut lag, &mut failing).await;
        lag.tell();
        if let Err(error) = flushed {
            tracing::warn!(%error, "could not seal the audit logs");
        }
    }
}

/// Batch after batch until nothing is left but what cannot be sealed. `failing`: the logs that could not the last time.
async fn flush(db: &Db, signer: &Signer, lag: &mut Lag, failing: &mut HashSet<OrgId>) -> Result<()> {
    let mut failed = HashSet::new();
    loop {
        let unsealed = audit_chain::unsealed(db).await?;
        lag.measure(&unsealed);
        let flushed = audit_chain::flush(db, signer, &unsealed, &failed).await?;
        for (organization, error) in flushed.failed {
            // Said once, and then seen by the lag.
            if !failing.contains(&organization) {
                tracing::error!(%error, %organization, "could not seal an audit log");
            }
            failed.insert(organization);
        }
        if flushed.events == 0 {
            break;
        }
        metrics::audit_sealed(flushed.events);
    }
    for organization in failing.difference(&failed) {
        tracing::info!(%organization, "an audit log can be sealed again");
    }
    *failing = failed;
    Ok(())
}

/// How long the event has waited that waits longest, and when that was measured: it goes on waiting while nothing can be
/// measured.
#[derive(Default)]
struct Lag(Option<(Duration, Instant)>);

impl Lag {
    fn measure(&mut self, unsealed: &Unsealed) {
        self.0 = (!unsealed.lag.is_zero()).then(|| (unsealed.lag, Instant::now()));
        self.tell();
    }

    fn tell(&self) {
        let lag = self.0.map_or(Duration::ZERO, |(lag, measured)| lag + measured.elapsed());
        metrics::oldest_unsealed(lag.as_secs_f64());
    }
}

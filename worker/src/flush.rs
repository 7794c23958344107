//! Audit logs are sealed soon after something was written into them.

use std::time::Duration;

use insula_core::{
    Result,
    chains::{self, Flushed, Signer},
    db::Db,
    telemetry::metrics,
};
use tokio_util::sync::CancellationToken;

use crate::every;

/// How often it is looked for events.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Seals what there is until `stop`, and once more then: what was answered before has been written by now.
pub(crate) async fn run(db: &Db, signer: &Signer, stop: &CancellationToken) {
    let (mut tick, mut is_over) = (every(LOOK_EVERY), false);
    while !is_over {
        is_over = stop.run_until_cancelled(tick.tick()).await.is_none();
        if let Err(error) = flush(db, signer).await {
            tracing::warn!(%error, "could not seal the audit logs");
        }
    }
}

async fn flush(db: &Db, signer: &Signer) -> Result<()> {
    for round in 0.. {
        let Flushed { events, lag } = chains::flush(db, signer).await?;
        if round == 0 {
            metrics::oldest_unsealed(lag.as_secs_f64());
        }
        if events == 0 {
            break;
        }
        metrics::audit_sealed(events);
    }
    Ok(())
}

//! Opens the ops port of a process.

use std::net::SocketAddr;

use insula_api::ops::{self, Ops};
use insula_core::runtime::{config::Config, resource_metrics};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{CliError, say};

/// Starts the metrics of this process, and binds `INSULA_OPS_BIND`, or a free port if `is_any`. In development a process runs
/// without the ops port if the port is in use.
pub(super) async fn listen(config: &Config, is_any: bool) -> Result<Option<TcpListener>, CliError> {
    resource_metrics::observe_process();
    let mut bind: SocketAddr = config.ops_bind;
    if is_any {
        bind.set_port(0);
    }
    match TcpListener::bind(bind).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if config.is_production() => Err(CliError::unavailable(format!(
            "INSULA_OPS_BIND: cannot listen on {bind}: {error}; stop the process that uses this port, or choose another port"
        ))),
        Err(error) => {
            tracing::warn!(%bind, %error, "the ops port is not available, so there are no metrics: choose another port with INSULA_OPS_BIND");
            Ok(None)
        }
    }
}

/// Logs the address of the ops port, and serves it until `stop`.
pub(super) fn open(listener: Option<TcpListener>, ops: Ops, tasks: &TaskTracker, stop: &CancellationToken) {
    let Some(listener) = listener else { return };
    if let Ok(address) = listener.local_addr() {
        say(format_args!("Insula's ops port is http://{address}"));
    }
    let serving = ops::serve(listener, ops, stop.clone());
    tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the ops port has failed");
        }
    });
}

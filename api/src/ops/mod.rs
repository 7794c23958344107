//! The ops port of one process, for operators and their tools. It must not be reachable from the internet.
//!
//! It has `/metrics` in the text format of Prometheus, `/livez` (restart the process if it fails) and
//! `/readyz` (send no requests while it fails). It reveals nothing about users or organizations.

pub mod health;

use std::{io, sync::Arc, time::Duration};

use insula_core::{
    runtime::telemetry::{Heartbeat, metrics},
    storage::db::Db,
};
use poem::{
    EndpointExt, IntoResponse, Response, Route, get, handler,
    http::{StatusCode, header},
    web::{Data, Json},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    ops::health::{database_trouble, with_warnings},
    server::{Limits, Readiness, serve as accept},
};

/// Maximum number of connections: a scraper, a few probes, and some more for people.
const CONNECTIONS: usize = 64;

/// The state of one process that the ops port reports.
#[derive(Clone)]
pub struct Ops {
    /// Heartbeat of its background work.
    pub heartbeat: Heartbeat,
    /// The database. The process is not ready without it.
    pub db: Db,
    /// Returns why the process accepts no work now, such as `draining`. `None`: it accepts work.
    pub refusal: Arc<dyn Fn() -> Option<&'static str> + Send + Sync>,
}

/// Serves on `listener` until `stop`.
///
/// # Errors
/// If `listener` has no IP address.
pub async fn serve(listener: TcpListener, ops: Ops, stop: CancellationToken) -> io::Result<()> {
    let limits = Limits {
        connections: CONNECTIONS,
        connections_per_peer: CONNECTIONS,
        drain_delay: Duration::ZERO,
        drain_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let routes = Route::new().at("/metrics", get(show)).at("/livez", get(livez)).at("/readyz", get(readyz));
    accept(listener, routes.data(ops), limits, Readiness::default(), stop.cancelled()).await.map(drop)
}

#[handler]
fn show() -> Response {
    metrics::render().with_content_type("text/plain; version=0.0.4; charset=utf-8").into_response()
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn livez(ops: Data<&Ops>) -> Response {
    probe_response(if ops.heartbeat.is_beating() {
        Ok(json!({ "status": "ok" }))
    } else {
        Err("background work is not responding")
    })
}

#[handler]
async fn readyz(ops: Data<&Ops>) -> Response {
    let reason = match (ops.refusal)() {
        None => database_trouble(&ops.db).await,
        refusal => refusal,
    };
    probe_response(reason.map_or_else(|| Ok(with_warnings(&ops.db, json!({ "status": "ok" }))), Err))
}

/// The response of a probe. The ops port can report the reason of a failure.
fn probe_response(answer: Result<Value, &'static str>) -> Response {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unavailable", "reason": reason }))
        }
    };
    Json(body).with_status(status).with_header(header::CACHE_CONTROL, "no-store").into_response()
}

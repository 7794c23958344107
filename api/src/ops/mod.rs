//! The ops port of one process, for operators and their tools. It must not be reachable from the internet.
//!
//! It has `/metrics` in the text format of Prometheus, `/livez` (restart the process if it fails) and
//! `/readyz` (send no requests while it fails). `/log-filter` shows and changes what the process logs. The port reveals
//! nothing about users or organizations.

pub mod health;

use std::{io, sync::Arc, time::Duration};

use insula_core::{
    runtime::telemetry::{Heartbeat, log_filter, metrics},
    storage::db::Db,
};
use poem::{
    Body, EndpointExt, IntoResponse, Response, Route, get, handler,
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
    let routes = Route::new()
        .at("/metrics", get(show))
        .at("/livez", get(livez))
        .at("/readyz", get(readyz))
        .at("/log-filter", get(show_log_filter).put(change_log_filter).delete(reset_log_filter));
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

/// Maximum size of a log filter in bytes.
const MAX_FILTER: usize = 4096;

#[handler]
fn show_log_filter() -> Response {
    match log_filter::current() {
        Some(directives) => format!("{directives}\n").into_response(),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "this process does not write logs"),
    }
}

/// Adds the directives in the body to those of the configuration, until the process ends.
#[handler]
async fn change_log_filter(body: Body) -> Response {
    let Ok(bytes) = body.into_bytes_limit(MAX_FILTER).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "a filter has at most 4096 bytes");
    };
    match str::from_utf8(&bytes) {
        Ok(directives) => apply(directives.trim()),
        Err(_) => plain(StatusCode::BAD_REQUEST, "a filter is UTF-8 text"),
    }
}

#[handler]
fn reset_log_filter() -> Response {
    apply("")
}

fn apply(directives: &str) -> Response {
    match log_filter::change(directives) {
        Ok(()) => {
            tracing::info!(added = directives, "the log filter was changed on the ops port");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => plain(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    format!("{text}\n").with_status(status).into_response()
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

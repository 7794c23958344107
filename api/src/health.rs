//! What operators and load balancers ask: is it alive, is it ready, which version is it; and the public keys of tokens.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use poem::{IntoResponse, Response, Route, get, handler, http::StatusCode, web::{Data, Json}};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::state::State;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long the database may take to answer a probe.
const PATIENCE: Duration = Duration::from_secs(2);

/// The probes, outside of the API's base path.
pub fn routes() -> Route {
    Route::new()
        .at("/healthz", get(healthz))
        .at("/health", get(health))
        .at("/livez", get(livez))
        .at("/readyz", get(readyz))
        .at("/version", get(version))
        .at("/.well-known/jwks.json", get(jwks))
}

fn timestamp(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn database_answers(state: &State) -> bool {
    matches!(timeout(PATIENCE, state.db.ping()).await, Ok(Ok(())))
}

fn answer(good: bool, body: Value) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Probes read the status; the body is for people, and no problem of a client.
    Json(body).with_status(status).into_response()
}

#[handler]
fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

#[handler]
fn healthz(state: Data<&Arc<State>>) -> Json<Value> {
    Json(json!({ "status": "ok", "timestamp": timestamp(state.db.now()), "version": VERSION }))
}

#[handler]
async fn health(state: Data<&Arc<State>>) -> Response {
    let good = database_answers(&state).await;
    let database = json!({ "system": state.db.system(), "status": if good { "ok" } else { "unavailable" } });
    let status = if good { "ok" } else { "degraded" };
    let body = json!({
        "status": status,
        "timestamp": timestamp(state.db.now()),
        "version": VERSION,
        "environment": state.environment,
        "database": database,
    });
    answer(good, body)
}

/// Not while draining, not before the schema is current, not without the database.
#[handler]
async fn readyz(state: Data<&Arc<State>>) -> Response {
    let reason = match () {
        () if !state.readiness.is_ready() => Some("draining"),
        () if !state.is_migrated() => Some("migrations are pending"),
        () if !database_answers(&state).await => Some("the database does not answer"),
        () => None,
    };
    let body = match reason {
        None => json!({ "status": "ready" }),
        Some(reason) => json!({ "status": "not ready", "reason": reason }),
    };
    answer(reason.is_none(), body)
}

#[handler]
fn version() -> Json<Value> {
    Json(json!({ "name": "insula", "version": VERSION }))
}

#[handler]
fn jwks(state: Data<&Arc<State>>) -> Response {
    Json(state.tokens.jwks()).with_header("cache-control", "public, max-age=300").into_response()
}

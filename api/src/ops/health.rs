//! Probes for operators and load balancers (alive, ready, version), and the public keys of tokens.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use insula_core::{
    Error,
    storage::{
        db::{DatabaseTrouble, Db},
        signing_keys::PublicKey,
    },
};
use poem::{
    IntoResponse, Response, Route, get, handler,
    web::{Data, Json},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    VERSION,
    problem::{Problem, Result},
    state::AppState,
};

/// Maximum time of the database for a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The probes, outside of the base path of the API.
pub fn routes() -> Route {
    Route::new()
        .at("/healthz", get(healthz))
        .at("/health", get(health))
        .at("/livez", get(livez))
        .at("/readyz", get(readyz))
        .at("/version", get(version))
        .at("/.well-known/jwks.json", get(jwks))
        .at("/.well-known/audit-keys.json", get(audit_keys))
}

fn timestamp(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Why the database cannot be used, after at most 2 s. `None`: it can be used.
pub(crate) async fn database_trouble(db: &Db) -> Option<&'static str> {
    timeout(PROBE_TIMEOUT, db.trouble())
        .await
        .unwrap_or(Some(DatabaseTrouble::Unreachable))
        .map(DatabaseTrouble::reason)
}

#[handler]
fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn healthz(state: Data<&Arc<AppState>>) -> Json<Value> {
    Json(json!({ "status": "ok", "timestamp": timestamp(state.db.now()), "version": VERSION }))
}

#[handler]
async fn health(state: Data<&Arc<AppState>>) -> Result<Json<Value>> {
    if let Some(reason) = database_trouble(&state.db).await {
        return Err(not_ready(reason));
    }
    Ok(Json(json!({
        "status": "ok",
        "timestamp": timestamp(state.db.now()),
        "version": VERSION,
        "environment": state.environment,
        "database": { "system": state.db.system(), "status": "ok" },
    })))
}

/// Ready unless the server is draining, the schema is not current, or the database cannot store data.
#[handler]
async fn readyz(state: Data<&Arc<AppState>>) -> Result<Json<Value>> {
    let reason = match state.refusal() {
        None => database_trouble(&state.db).await,
        refusal => refusal,
    };
    match reason {
        Some(reason) => Err(not_ready(reason)),
        None => Ok(Json(with_warnings(&state.db, json!({ "status": "ready" })))),
    }
}

/// Adds warnings for operators to `body`, which do not make the process unready.
pub(crate) fn with_warnings(db: &Db, mut body: Value) -> Value {
    if let Some(warning) = db.clock_warning() {
        body["warnings"] = json!([warning]);
    }
    body
}

/// The response 503 with the reason.
fn not_ready(reason: &'static str) -> Problem {
    tracing::info!(reason, "not ready");
    Problem(Error::NotReady(reason))
}

#[handler]
fn version() -> Json<Value> {
    Json(json!({ "name": "insula", "version": VERSION }))
}

/// The public keys of audit logs (RFC 7517, RFC 8037 §2), including earlier ones.
#[handler]
async fn audit_keys(state: Data<&Arc<AppState>>) -> poem::Result<Response> {
    let keys = state.signer.public_keys(&state.db).await.map_err(Problem)?;
    let jwk = |key: &PublicKey| json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid(), "x": key.x() });
    let keys: Vec<_> = keys.iter().map(jwk).collect();
    Ok(Json(json!({ "keys": keys })).with_header("cache-control", "public, max-age=300").into_response())
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn jwks(state: Data<&Arc<AppState>>) -> Response {
    Json(state.tokens.jwks()).with_header("cache-control", "public, max-age=300").into_response()
}

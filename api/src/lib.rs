//! The HTTP API of Insula.
//!
//! Inside out: the routes ([`routes`]), then everything that stands around each of them (`edge`), then the sockets
//! ([`serve::serve`]).

#![forbid(unsafe_code)]

// The socket.
mod body;
mod connections;
pub mod serve;
mod socket;
// Around every request.
pub mod cors;
pub mod csp;
pub mod headers;
pub mod operation;
pub mod problem;
pub mod repeated;
pub mod trace;
// What the routes are written with.
pub mod docs;
pub mod openapi;
pub mod strict;
pub mod wire;
// Who asks, and in which organization.
pub mod caller;
mod client;
pub mod cookies;
pub mod limits;
mod load;
pub mod origins;
pub mod refusals;
pub mod state;
pub mod tenant;
// What can be asked.
pub mod dev_mail;
pub mod health;
pub mod ops;
pub mod page;
pub mod routes;

#[cfg(test)]
mod demo;

use std::sync::Arc;

use insula_core::config::Environment;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response, Route, endpoint::BoxEndpoint};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{headers::Headers, operation::Operations, origins::Origins, serve::Limits, trace::UnknownPaths};

/// The path of every operation starts with this.
pub const BASE: &str = "/api/v1";

/// The routes of `api` under [`BASE`], their document and its page beside what is in `outside` (probes, pages).
fn mount<T: OpenApi + 'static>(api: T, outside: Route) -> Route {
    let service = OpenApiService::new(api, "", "").into_endpoint().around(operation::found);
    outside
        .at(format!("{BASE}/openapi.json"), docs::document(|| openapi::publish::<T>(BASE)))
        .nest_no_strip(docs::PATH, docs::page())
        .nest_no_strip(docs::REFERENCE, docs::reference())
        .nest(BASE, service)
}

/// `inner`, what [`mount`] made of `T`, behind everything a request passes first; a layer that needs the [`operation::Match`]
/// but must come before the routes goes around `inner`.
///
/// # Errors
/// When two operations cannot be told apart: [`Operations::new`].
fn edge<T: OpenApi>(
    inner: impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static>,
    limits: Limits,
    headers: Headers,
    origins: Origins,
    unknown: UnknownPaths,
) -> Result<BoxEndpoint<'static>, String> {
    let operations = Arc::new(Operations::new::<T>(BASE)?);
    let origins = Arc::new(origins);
    // The last one is the outermost. Boxed on the way, or the compiler loses its patience with the type.
    Ok(inner
        .into_endpoint()
        .boxed()
        .around(repeated::refuse)
        .around(operation::canonical)
        .around(trace::catch_panic)
        .around(move |endpoint, request| body::bounded(endpoint, request, limits))
        .around(problem::render)
        .boxed()
        .around(limits::show)
        .around(move |endpoint, request| cors::around(Arc::clone(&origins), endpoint, request))
        .around(move |endpoint, request| trace::access(unknown, endpoint, request))
        .around(move |endpoint, request| operations.clone().around(endpoint, request))
        .around(move |endpoint, request| headers.around(endpoint, request))
        .boxed())
}

/// The product: every route over `state`.
///
/// # Errors
/// When two operations cannot be told apart.
pub fn build(
    state: Arc<state::State>,
    limits: Limits,
    headers: Headers,
) -> Result<BoxEndpoint<'static>, String> {
    let inner = mount(routes::routes(&state), dev_mail::beside(page::beside(health::routes())));
    let (counting, origins) = (Arc::clone(&state), state.origins.clone());
    let unknown = match state.environment == Environment::Development.as_str() {
        true => UnknownPaths::Shown,
        false => UnknownPaths::Hidden,
    };
    let load = Arc::new(load::Load::new(limits.requests, state.trusted_proxies.clone()));
    let listed = Arc::new(origins.clone());
    let inner = inner
        .around(refusals::write_down)
        .around(state::when_migrated)
        .data(state)
        .map_to_response()
        .around(move |endpoint, request| cors::ahead(Arc::clone(&listed), endpoint, request))
        .around(move |endpoint, request| limits::by_address(Arc::clone(&counting), endpoint, request))
        .around(move |endpoint, request| load.clone().shed(endpoint, request));
    edge::<routes::Routes>(inner, limits, headers, origins, unknown)
}

/// The OpenAPI document of the product.
///
/// # Errors
/// What keeps it from being true: [`openapi::publish`].
pub fn document() -> Result<serde_json::Value, String> {
    openapi::publish::<routes::Routes>(BASE)
}

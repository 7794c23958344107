//! The application: its routes, and the middleware around them in one list.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, IntoEndpoint, Response, Route, endpoint::BoxEndpoint};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    BASE, auth,
    browser::origins::Origins,
    middleware::{self, access_log::UnknownPaths, headers::Headers},
    openapi,
    operations::{self, Operations},
    ops, pages, problem, routes,
    server::Limits,
    state,
};

/// The routes of `api` under [`BASE`], with their document and its pages. `outside` contains the other routes: probes
/// and pages.
pub(crate) fn mount_routes<T: OpenApi + 'static>(api: T, outside: Route) -> Route {
    let service = OpenApiService::new(api, "", "").into_endpoint().around(operations::require_found);
    outside
        .at(format!("{BASE}/openapi.json"), pages::docs::document(|| openapi::publish::<T>(BASE)))
        .nest_no_strip(pages::docs::PATH, pages::docs::page())
        .nest_no_strip(pages::docs::REFERENCE, pages::docs::reference())
        .nest(BASE, service)
}

/// Adds the middleware around `inner`, which [`mount_routes`] built from `T`. A layer that needs the [`operations::Match`] but
/// runs before the routes goes around `inner`.
///
/// # Errors
/// Those of [`Operations::new`], if two operations cannot be distinguished.
pub(crate) fn with_middleware<T: OpenApi>(
    inner: impl IntoEndpoint<Endpoint: Endpoint<Output = Response> + 'static>,
    limits: Limits,
    headers: Headers,
    origins: Origins,
    unknown: UnknownPaths,
) -> Result<BoxEndpoint<'static>, String> {
    let operations = Arc::new(Operations::new::<T>(BASE)?);
    let origins = Arc::new(origins);
    // The last one is the outermost. Boxed in between, because the type would be too large for the compiler.
    Ok(inner
        .into_endpoint()
        .boxed()
        .around(middleware::repeated_headers::refuse)
        .around(operations::canonical)
        .around(middleware::access_log::catch_panic)
        .around(move |endpoint, request| middleware::body_limit::bounded(endpoint, request, limits))
        .around(problem::render)
        .boxed()
        .around(middleware::rate_limit::add_headers)
        .around(move |endpoint, request| middleware::cors::around(Arc::clone(&origins), endpoint, request))
        .around(move |endpoint, request| middleware::access_log::access(unknown, endpoint, request))
        .around(move |endpoint, request| operations.clone().around(endpoint, request))
        .around(move |endpoint, request| headers.around(endpoint, request))
        .boxed())
}

/// Builds the application: every route with `state`.
///
/// # Errors
/// If the document would be wrong, or if two operations cannot be distinguished.
pub fn build(
    state: Arc<state::AppState>,
    limits: Limits,
    headers: Headers,
) -> Result<BoxEndpoint<'static>, String> {
    let inner = mount_routes(
        routes::routes(&state),
        pages::dev_inbox::add_routes(pages::add_routes(
            ops::health::routes(),
            &state.branding,
            state.console,
        )),
    );
    let (counting, origins) = (Arc::clone(&state), state.origins.clone());
    let unknown = match state.shows_unknown_paths {
        true => UnknownPaths::Shown,
        false => UnknownPaths::Hidden,
    };
    let load =
        Arc::new(middleware::load_shed::LoadShedder::new(limits.requests, state.trusted_proxies.clone()));
    let listed = Arc::new(origins.clone());
    let inner = inner
        .around(auth::refusal_log::record)
        .around(state::when_migrated)
        .data(state)
        .map_to_response()
        .around(move |endpoint, request| {
            middleware::cors::answer_preflight(Arc::clone(&listed), endpoint, request)
        })
        .around(move |endpoint, request| {
            middleware::rate_limit::by_address(Arc::clone(&counting), endpoint, request)
        })
        .around(move |endpoint, request| load.clone().shed(endpoint, request));
    with_middleware::<routes::Routes>(inner, limits, headers, origins, unknown)
}

/// The OpenAPI document of the application.
///
/// # Errors
/// Those of [`openapi::publish`], if the document would be wrong.
pub fn document() -> Result<serde_json::Value, String> {
    openapi::publish::<routes::Routes>(BASE)
}

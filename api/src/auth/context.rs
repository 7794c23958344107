//! What is known of a request before its user is: the shared state, data for the audit log, and its trail.

use std::sync::Arc;

use insula_core::{base::permissions::RequestInfo, storage::audit::RequestTrail};
use poem::{FromRequest, Request, RequestBody, http::header, web::Data};

use crate::{
    request::{
        client_ip,
        id::{RequestId, trace_of},
    },
    state::AppState,
};

/// Maximum number of characters of a `User-Agent` that are stored.
const MAX_USER_AGENT_LENGTH: usize = 500;

/// The shared state of the application.
pub(crate) async fn state<'a>(
    request: &'a Request,
    body: &mut RequestBody,
) -> poem::Result<&'a Arc<AppState>> {
    let Data(state) = <Data<&Arc<AppState>> as FromRequest>::from_request(request, body).await?;
    Ok(state)
}

/// Data about the request, with or without authentication.
pub(crate) fn request_info(state: &AppState, request: &Request) -> RequestInfo {
    let address = client_ip::address(request, state.trusted_proxies.as_ref());
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    RequestInfo {
        request_id: Some(RequestId::of(request).to_string()),
        trace: trace_of(request),
        ip: address.map(|address| address.to_string()),
        user_agent: agent.map(|agent| agent.chars().take(MAX_USER_AGENT_LENGTH).collect()),
    }
}

/// The trail of `request`, on which later steps note the user and the organization.
pub(crate) fn trail(request: &Request) -> RequestTrail {
    request.data().cloned().unwrap_or_default()
}

//! Records refused requests in the audit log.

use std::sync::Arc;

use insula_core::storage::audit::RequestTrail;
use poem::{Endpoint, Request};

use crate::{auth::context::request_info, operations::Operation, problem::Problem, state::AppState};

/// Middleware around the operations: records a refusal in the audit log before the response is sent. It gives the request
/// a [`RequestTrail`], on which the extractors note the user they found.
///
/// # Errors
/// Those of `endpoint`.
pub async fn record<E: Endpoint>(endpoint: Arc<E>, mut request: Request) -> poem::Result<E::Output> {
    let state = request.data::<Arc<AppState>>().cloned();
    let trail =
        state.as_ref().map(|state| RequestTrail::new(request_info(state, &request))).unwrap_or_default();
    request.set_data(trail.clone());
    let operation = request.data::<Arc<Operation>>().map(|operation| operation.id);
    let answer = endpoint.call(request).await;
    let refusal = answer.as_ref().err().and_then(|error| error.downcast_ref::<Problem>());
    if let (Some(Problem(error)), Some(state), Some(operation)) = (refusal, state, operation) {
        state.refusals.record(&trail, operation, error).await;
    }
    answer
}

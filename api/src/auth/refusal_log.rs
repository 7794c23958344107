//! What was refused stands in an audit log.

use std::sync::Arc;

use insula_core::storage::audit::RequestTrail;
use poem::{Endpoint, Request};

use crate::{auth::extractors::inquiry, operations::Operation, problem::Problem, state::State};

/// Middleware around the operations: writes down, before it is answered, what one of them refused. It gives the request a
/// [`Trail`], on which the extractors note the users they found.
///
/// # Errors
/// Those of `endpoint`.
pub async fn write_down<E: Endpoint>(endpoint: Arc<E>, mut request: Request) -> poem::Result<E::Output> {
    let state = request.data::<Arc<State>>().cloned();
    let trail = state.as_ref().map(|state| RequestTrail::new(inquiry(state, &request))).unwrap_or_default();
    request.set_data(trail.clone());
    let operation = request.data::<Arc<Operation>>().map(|operation| operation.id);
    let answer = endpoint.call(request).await;
    let refusal = answer.as_ref().err().and_then(|error| error.downcast_ref::<Problem>());
    if let (Some(Problem(error)), Some(state), Some(operation)) = (refusal, state, operation) {
        state.refusals.note(&trail, operation, error).await;
    }
    answer
}

/// Where is noted what is found out about `request`.
pub(crate) fn trail(request: &Request) -> RequestTrail {
    request.data().cloned().unwrap_or_default()
}

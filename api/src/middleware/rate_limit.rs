//! Rate limits: the classes of each operation, and the headers of the response. `core` does the counting.
//!
//! There are two stages. The IP address is counted first, before anything else; the user and the organization
//! are counted when they are known. The operation determines the class, never the spelling of the path.

use std::sync::{Arc, Mutex, PoisonError};

use insula_core::{
    base::{
        error::Error,
        ids::{OrgId, UserId},
    },
    runtime::rate_limit::{RateClass, RateStatus},
};
use poem::{
    Endpoint, Request, Response,
    http::{HeaderName, HeaderValue, Method},
};

use crate::{operations::Operation, problem::Problem, request::client_ip, state::AppState};

/// Headers with the quota and what is left of it (draft-ietf-httpapi-ratelimit-headers-09).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Operations counted by IP address in a class of their own, in addition to the class of all requests.
const BY_ADDRESS: &[(&str, RateClass)] = &[
    ("logIn", RateClass::LogIn),
    ("reauthenticate", RateClass::LogIn),
    ("changeMyPassword", RateClass::LogIn),
    ("register", RateClass::Register),
    ("forgotPassword", RateClass::Reset),
    ("resendVerification", RateClass::Reset),
    ("resetPassword", RateClass::EmailLinks),
    ("verifyEmail", RateClass::EmailLinks),
    ("undoEmailChange", RateClass::EmailLinks),
    ("previewInvitation", RateClass::EmailLinks),
    ("acceptInvitation", RateClass::EmailLinks),
    ("declineInvitation", RateClass::EmailLinks),
    ("acceptMyInvitation", RateClass::EmailLinks),
    ("declineMyInvitation", RateClass::EmailLinks),
];

/// Operations counted by organization, in addition to the user.
const BY_ORGANIZATION: &[(&str, RateClass)] = &[
    ("createInvitation", RateClass::Invitations),
    ("resendInvitation", RateClass::Invitations),
    ("createInvitations", RateClass::Bulk),
    ("importTimeEntries", RateClass::Bulk),
    ("createTasks", RateClass::Bulk),
    ("exportAuditEventsAsJsonLines", RateClass::Export),
    ("exportAuditEventsAsCsv", RateClass::Export),
    ("exportTimeEntriesAsJsonLines", RateClass::Export),
    ("exportTimeEntriesAsCsv", RateClass::Export),
    ("exportTasksAsJsonLines", RateClass::Export),
    ("exportTasksAsCsv", RateClass::Export),
];

/// Operations counted by session, in their handlers.
const BY_SESSION: &[(&str, RateClass)] = &[("refresh", RateClass::Refresh)];

fn listed_class(table: &[(&str, RateClass)], id: &str) -> Option<RateClass> {
    table.iter().find(|(operation, _)| *operation == id).map(|(_, class)| *class)
}

/// The class in which an operation is counted for a user.
fn class_of_user(method: &Method, path: &str) -> RateClass {
    match path.contains("/admin/") {
        true => RateClass::Admin,
        false if method.is_safe() => RateClass::Read,
        false => RateClass::Write,
    }
}

/// The class that the document names, which is the one with the lowest limit.
pub(crate) fn class(id: &str, method: &Method, path: &str) -> RateClass {
    let narrow = [BY_ADDRESS, BY_ORGANIZATION, BY_SESSION].iter().find_map(|table| listed_class(table, id));
    narrow.unwrap_or(class_of_user(method, path))
}

/// The counted limits of a request. [`add_headers`] puts it into the request.
#[derive(Clone, Debug, Default)]
pub struct CountedLimits(Arc<Mutex<Vec<RateStatus>>>);

/// Middleware around everything that responds: adds the rate limit headers.
///
/// # Errors
/// Those of `endpoint`.
pub async fn add_headers<E>(endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let counted = CountedLimits::default();
    request.set_data(counted.clone());
    let mut response = endpoint.call(request).await?;
    let verdicts = counted.0.lock().unwrap_or_else(PoisonError::into_inner);
    let list = |item: fn(&RateStatus) -> String| {
        let items: Vec<_> = verdicts.iter().map(item).collect();
        HeaderValue::from_str(&items.join(", ")).ok().filter(|_| !items.is_empty())
    };
    let policy =
        list(|it| format!("{:?};q={};w={}", it.class.as_str(), it.rate.count, it.rate.per.as_secs()));
    let left = list(|it| {
        let until = it.wait.unwrap_or(it.reset);
        format!("{:?};r={};t={}", it.class.as_str(), it.remaining, until.as_millis().div_ceil(1000))
    });
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Middleware around the routes: the first stage, which counts the IP address.
///
/// # Errors
/// `RATE_LIMITED`, and those of `endpoint`.
pub async fn by_address<E>(
    state: Arc<AppState>,
    endpoint: Arc<E>,
    request: Request,
) -> poem::Result<E::Output>
where
    E: Endpoint,
{
    let prefix = client_ip::prefix(client_ip::address(&request, state.trusted_proxies.as_ref()));
    let narrow =
        request.data::<Arc<Operation>>().and_then(|operation| listed_class(BY_ADDRESS, operation.id));
    for class in [RateClass::Address].into_iter().chain(narrow) {
        take(&state, &request, class, &prefix).await.map_err(Problem)?;
    }
    endpoint.call(request).await
}

/// The second stage, which counts the user and the organization.
///
/// # Errors
/// `RATE_LIMITED`.
pub(crate) async fn by_person_and_organization(
    state: &AppState,
    request: &Request,
    user: UserId,
    org: Option<OrgId>,
) -> Result<(), Error> {
    let Some(operation) = request.data::<Arc<Operation>>() else { return Ok(()) };
    take(state, request, class_of_user(&operation.method, &operation.template), &user.to_string()).await?;
    match (listed_class(BY_ORGANIZATION, operation.id), org) {
        (Some(RateClass::Invitations), Some(org)) => by_invitation(state, request, user, org).await,
        (Some(class), Some(org)) => take(state, request, class, &org.to_string()).await,
        _ => Ok(()),
    }
}

/// Counts an invitation by `user` into `org`, for the organization and for the user across all organizations.
/// A new account has a lower limit, so that nobody registers to send e-mails to strangers.
///
/// # Errors
/// `RATE_LIMITED`.
pub(crate) async fn by_invitation(
    state: &AppState,
    request: &Request,
    user: UserId,
    org: OrgId,
) -> Result<(), Error> {
    let age = user.created_at().and_then(|made| (state.db.now() - made).to_std().ok());
    let class = match age.is_none_or(|age| age < state.new_account_age) {
        true => RateClass::NewInviter,
        false => RateClass::Inviter,
    };
    take(state, request, class, &user.to_string()).await?;
    take(state, request, RateClass::Invitations, &org.to_string()).await
}

/// Takes a token of the class for `key`, and records it for the response headers.
///
/// # Errors
/// `RATE_LIMITED`.
pub(crate) async fn take(
    state: &AppState,
    request: &Request,
    class: RateClass,
    key: &str,
) -> Result<(), Error> {
    let verdict = state.limits.take(class, key).await;
    if let Some(CountedLimits(counted)) = request.data() {
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|other| other.class != class);
        counted.push(verdict);
    }
    match verdict.wait {
        None => Ok(()),
        Some(retry_after) => Err(Error::Limited { retry_after }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_listed_operation_exists() {
        let document = crate::app::document().unwrap();
        let methods = document["paths"].as_object().unwrap().values();
        let operations = methods.flat_map(|methods| methods.as_object().unwrap().values());
        let ids: HashSet<_> =
            operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        for (id, _) in [BY_ADDRESS, BY_ORGANIZATION, BY_SESSION].concat() {
            assert!(ids.contains(id), "there is no operation {id}");
        }
    }

    #[test]
    fn other_operations_are_reads_or_writes() {
        let of = |id, method: &Method, path| class(id, method, path);
        assert_eq!(of("listProjects", &Method::GET, "/organizations/{org}/projects"), RateClass::Read);
        assert_eq!(of("createProject", &Method::POST, "/organizations/{org}/projects"), RateClass::Write);
        assert_eq!(of("listUsers", &Method::GET, "/api/v1/admin/users"), RateClass::Admin);
        assert_eq!(of("logIn", &Method::POST, "/auth/login"), RateClass::LogIn);
    }
}

//! The id of a request, and its trace.

use std::{ops::Deref, sync::Arc};

use insula_core::base::{crypto::hex, trace_context::TraceContext};
use poem::{Request, http::HeaderName};

/// The id of one request. The response, the log and the audit events contain it.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header with the trace that a request is part of (W3C Trace Context §3.2).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of a request, in its extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id of `request`; empty before [`Headers::around`](crate::middleware::headers::Headers::around).
    pub fn of(request: &Request) -> Self {
        request.data::<Self>().cloned().unwrap_or_default()
    }

    /// The id that the client sent, if it has 1 to 128 letters, digits, `.`, `_` or `-`; otherwise a random one.
    pub(crate) fn choose(request: &Request) -> Self {
        let is_sane = |id: &&str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            (1..=128).contains(&id.len()) && id.bytes().all(allowed)
        };
        match request.header(X_REQUEST_ID).filter(is_sane) {
            Some(id) => Self(id.into()),
            None => Self(random_hex().into()),
        }
    }
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The `traceparent` that the client sent; `None` if it sent none, or not exactly one that is valid.
pub(crate) fn traceparent(request: &Request) -> Option<TraceContext> {
    let mut sent = request.headers().get_all(TRACEPARENT).iter();
    let (Some(only), None) = (sent.next(), sent.next()) else { return None };
    TraceContext::parse(only.to_str().ok()?)
}

/// The trace that `request` is part of; `None` before [`access`](crate::middleware::access_log::access).
pub(crate) fn trace_of(request: &Request) -> Option<TraceContext> {
    request.data::<TraceContext>().copied()
}

/// 16 random bytes in hexadecimal.
fn random_hex() -> String {
    let mut bytes = [0; 16];
    if let Err(err) = getrandom::fill(&mut bytes) {
        tracing::warn!(%err, "cannot generate random bytes for a request id");
    }
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_request_id_is_kept_and_otherwise_created() {
        let named = |id: &str| RequestId::choose(&Request::builder().header(X_REQUEST_ID, id).finish());
        assert_eq!(&*named("a.B_c-9"), "a.B_c-9");
        assert_eq!(&*named(&"x".repeat(128)), "x".repeat(128));
        for bad in ["", "a b", "a/b", "ä", "\"", &"x".repeat(129)] {
            let id = named(bad);
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{bad:?} became {id:?}");
        }
        assert_ne!(named(""), named(""));
    }

    #[test]
    fn only_one_traceparent_is_accepted() {
        let (one, other) = (TraceContext::random().to_string(), TraceContext::random().to_string());
        let sent = |values: &[&String]| {
            let request = values.iter().fold(Request::builder(), |all, one| all.header(TRACEPARENT, *one));
            traceparent(&request.finish()).map(|trace| trace.to_string())
        };
        assert_eq!(sent(&[&one]), Some(one.clone()));
        assert_eq!(sent(&[]), None);
        assert_eq!(sent(&[&one, &other]), None);
        assert_eq!(sent(&[&"0".repeat(5_000_000)]), None);
    }
}

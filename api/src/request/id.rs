//! The id of a request and of its trace.

use std::{ops::Deref, sync::Arc};

use insula_core::base::crypto::hex;
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

/// The id of the trace that a request is part of, in its extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceId(Arc<str>);

impl TraceId {
    /// The id of `request`; empty before [`Headers::around`](crate::middleware::headers::Headers::around).
    pub fn of(request: &Request) -> Self {
        request.data::<Self>().cloned().unwrap_or_default()
    }

    /// The trace id of the client's `traceparent` (W3C Trace Context §3.2.2), if it is valid; otherwise a random one.
    pub(crate) fn choose(request: &Request) -> Self {
        let sent = request.header(TRACEPARENT).and_then(Self::parse);
        sent.unwrap_or_else(|| Self(random_hex().into()))
    }

    fn parse(traceparent: &str) -> Option<Self> {
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = traceparent.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let sane = is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        let named = [trace, span].iter().all(|id| id.bytes().any(|byte| byte != b'0'));
        (known && sane && named).then(|| Self(trace.into()))
    }
}

impl Deref for TraceId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
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
    fn a_valid_trace_id_is_kept_and_otherwise_created() {
        let traced = |sent: &str| TraceId::choose(&Request::builder().header(TRACEPARENT, sent).finish());
        let (trace, rest) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331-01");
        assert_eq!(&*traced(&format!("00-{trace}-{rest}")), trace);
        assert_eq!(&*traced(&format!("cc-{trace}-{rest}-what-a-later-version-adds")), trace);
        let zero = "0".repeat(32);
        for bad in [
            "",
            trace,
            &format!("00-{trace}-{rest}-more"),
            &format!("ff-{trace}-{rest}"),
            &format!("00-{zero}-{rest}"),
            &format!("00-{}-{rest}", trace.to_uppercase()),
            &format!("00-{trace}-0000000000000000-01"),
        ] {
            let id = traced(bad);
            assert!(id.len() == 32 && *id != *trace && *id != *zero, "{bad:?} became {id:?}");
        }
    }
}

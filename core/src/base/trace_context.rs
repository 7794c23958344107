//! The place of an operation in a distributed trace (W3C Trace Context).

use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::base::crypto::random_bytes;

/// The trace that an operation is part of, and the span that caused it. It displays as a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

impl TraceContext {
    /// A new trace, which is not sampled.
    pub fn random() -> Self {
        let bytes: [u8; 24] = random_bytes();
        let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
        trace_id.copy_from_slice(&bytes[..16]);
        span_id.copy_from_slice(&bytes[16..]);
        let (trace_id, span_id) = (TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id));
        Self { trace_id, span_id, flags: TraceFlags::default() }
    }

    /// Parses a `traceparent` (W3C Trace Context §3.2). `None` if it is malformed, or if an id has only zeros. Of a later
    /// version, it reads what version 00 defines.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = traceparent.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let is_sane = is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        if !(is_known && is_sane) {
            return None;
        }
        let (trace_id, span_id) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        (trace_id != TraceId::INVALID && span_id != SpanId::INVALID).then_some(Self {
            trace_id,
            span_id,
            flags,
        })
    }

    /// The id of the trace. It displays as 32 hexadecimal digits.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The id of the span. It displays as 16 hexadecimal digits.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// This context as the remote parent of a span, with the `tracestate` that came with it.
    pub fn remote_parent(&self, state: TraceState) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, state)
    }
}

impl From<&SpanContext> for TraceContext {
    fn from(span: &SpanContext) -> Self {
        let flags = span.trace_flags() & TraceFlags::SAMPLED;
        Self { trace_id: span.trace_id(), span_id: span.span_id(), flags }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const REST: &str = "b7ad6b7169203331-01";

    #[test]
    fn a_valid_traceparent_is_read_and_others_are_not() {
        let context = TraceContext::parse(&format!("00-{TRACE}-{REST}")).unwrap();
        assert_eq!(context.trace_id().to_string(), TRACE);
        assert_eq!(context.to_string(), format!("00-{TRACE}-{REST}"));
        let later = TraceContext::parse(&format!("cc-{TRACE}-b7ad6b7169203331-ff-what-a-later-version-adds"));
        assert_eq!(later, Some(context));
        let zero = "0".repeat(32);
        for bad in [
            "",
            TRACE,
            &format!("00-{TRACE}-{REST}-more"),
            &format!("ff-{TRACE}-{REST}"),
            &format!("00-{zero}-{REST}"),
            &format!("00-{}-{REST}", TRACE.to_uppercase()),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}-b7ad6b7169203331-1"),
            &format!("00-+{}-{REST}", &TRACE[1..]),
            &format!(" 00-{TRACE}-{REST}"),
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad:?}");
        }
        assert_ne!(TraceContext::random(), TraceContext::random());
    }

    proptest! {
        #[test]
        fn a_displayed_context_parses_to_itself(text in prop_oneof![any::<String>(), "[0-9a-f-]{0,60}"]) {
            let context = TraceContext::random();
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
            if let Some(context) = TraceContext::parse(&text) {
                prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
            }
        }
    }
}

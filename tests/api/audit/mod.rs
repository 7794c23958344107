//! Audit logs: what is recorded, how it is sealed, verified and exported.

pub(crate) mod audit_coverage;
mod chain;
mod events;
mod exports;
mod log;
mod refusal_events;
mod refusal_log;
mod tampering;

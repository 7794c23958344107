//! Who sends a request, and what they may do: extractors for handlers.

pub mod extractors;
pub mod tenant;
pub mod refusal_log;

//! Who sends a request, and what they may do: extractors for handlers.

mod context;
pub mod extractors;
pub mod tenant;
pub mod refusal_log;

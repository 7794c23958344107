//! The middleware of every request, one file each. `app.rs` lists them in order.

pub mod headers;
pub mod access_log;
pub mod cors;
pub mod repeated_headers;
pub mod rate_limit;
pub(crate) mod load_shed;
pub(crate) mod body_limit;

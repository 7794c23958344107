//! Pure values: they compute, and neither wait nor name a table.

pub mod ids;
pub mod clock;
pub mod text;
pub mod permissions;
pub mod error;
pub mod crypto;
pub mod backoff;
pub mod pagination;
pub mod rate;

//! Pure values. They compute only: they do not wait, and know no table.

pub mod ids;
pub mod clock;
pub mod text;
pub mod accent;
pub mod crypto;
pub mod trace_context;
pub mod permissions;
pub mod error;
pub mod backoff;
pub mod pagination;
pub mod rate;

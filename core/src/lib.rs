//! Rules and storage of Insula. Knows no HTTP and no queue client.
//!
//! Folders and the modules in them stand in order: each uses only those above it (`tests/layers.rs`).

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod base;
pub mod runtime;
pub mod storage;
pub mod identity;
pub mod tenancy;
pub mod work;
pub mod lifecycle;

pub use base::error::{Error, Result};

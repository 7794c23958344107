//! Changes of an audit log with full access to the database: verification always finds them, and their position.

mod bytes;
mod files;
mod forge;
mod forgeries;
mod log;
mod seal;

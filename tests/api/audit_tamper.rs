//! Whoever may do anything to the database changes an audit log afterwards: it is always found, and where.

mod bytes;
mod files;
mod forge;
mod forgeries;
mod log;
mod seal;

//! Attacks and tenant isolation: every operation, and the database without the checks of the program.

mod abuse;
pub(crate) mod isolation;
mod isolation_reads;
mod tenant_constraints;

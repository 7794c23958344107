//! Audit logs as hash chains. Each event is sealed with the hash of the previous event, and the end of the chain is
//! signed. [`ChainVerifier`] detects events that were changed, removed, added or reordered later, and where.
//!
//! `hash = SHA-256(previous hash ‖ canonical JSON of the event)`. The head of a chain is signed whenever the chain
//! grows, so that its end cannot be cut off or replaced. Checkpoints are signed once a day and are also written to the
//! program's log, so that restoring an earlier state of the whole database is detected, too.

mod checkpoint;
mod export;
mod hash;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
mod head;
mod prune;
mod read;
mod seal;
mod statement;
#[cfg(test)]
mod tests;
mod verifier;

pub use checkpoint::Model as Checkpoint;
pub use export::{AuditLogExport, ExportLine, ExportedEvent, VERSION, record_export};
pub use hash::{GENESIS, hash};
pub(crate) use head::{Column as HeadColumn, Entity as HeadEntity};
pub(crate) use prune::prune;
pub use read::{checkpoints, verify};
pub use seal::{FlushStats, Signer, Unsealed, flush, unsealed};
pub use statement::{ChainStatementKind, SignedStatement, Statement};
pub use verifier::{BreakReason, ChainBreak, ChainVerifier, VerificationReport, matches_own_hash};

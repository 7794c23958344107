//! The audit logs as chains: each event is sealed with the hash of the one before, and what a chain has come to is signed.
//! Whoever changes, removes, adds or reorders anything afterwards is found, and where ([`Verifier`]).
//!
//! `hash = SHA-256(hash before ‖ canonical JSON of the event)`. The head of a chain is signed whenever it grows, so that no
//! end of it can be cut off or written anew; checkpoints are signed once a day, and leave the database by the program's
//! log: whoever puts a whole database back to an earlier state is found by them.

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
pub use export::{AuditLogExport, ExportLine, ExportedEvent, VERSION, note_export};
pub use hash::{GENESIS, hash};
pub(crate) use head::{Column as HeadColumn, Entity as HeadEntity};
pub(crate) use prune::prune;
pub use read::{checkpoints, verify};
pub use seal::{FlushStats, Signer, Unsealed, flush, unsealed};
pub use statement::{Kind, SignedStatement, Statement};
pub use verifier::{BreakReason, ChainBreak, VerificationReport, Verifier, matches_own_hash};

//! Period locks.

#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod entity;

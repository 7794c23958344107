//! Time entries.

pub(crate) mod entity;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod tagged;
mod untagging;
mod visibility;

pub(crate) use entity::{Column, Entity};
pub use entity::{Model as TimeEntry, Source};
pub use untagging::remove_tag;
pub(crate) use visibility::visible;

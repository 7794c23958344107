//! Tasks.

mod departure;
pub(crate) mod entity;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod tagged;
mod visibility;

pub(crate) use departure::depart;
pub(crate) use entity::{Column, Entity};
pub use entity::{Model as Task, Priority, TaskStatus};
pub(crate) use visibility::visible;

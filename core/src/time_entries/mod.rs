//! Time entries.

pub(crate) mod entity;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod tagged;
mod visibility;

use chrono::TimeDelta;

pub(crate) use entity::{Column, Entity};
pub use entity::{Model as TimeEntry, Source};
pub(crate) use visibility::visible;

/// The longest that an entry may last: whoever looks for those that cross an instant need not look further back.
pub const LONGEST: TimeDelta = TimeDelta::days(31);

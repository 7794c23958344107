//! Tags: what an organization calls tasks and time entries beside their project.

pub(crate) mod entity;

use std::collections::HashSet;

use sea_orm::ColumnTrait;

pub use entity::Model as Tag;
pub(crate) use entity::{Column, Entity};

use crate::{Result, access::Grant, db::OrgTx, error::Fields, ids::TagId};

/// Notes in `fields` which of `tags`, given as `tags[0]` and so on, are none of the organization.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn check<P: Grant>(tx: &OrgTx<P>, tags: &[TagId], fields: &mut Fields) -> Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let known = tx.find::<Entity>().filter(Column::Id.is_in(tags.iter().copied())).all().await?;
    let known: HashSet<_> = known.into_iter().map(|tag| tag.id).collect();
    for (at, _) in tags.iter().enumerate().filter(|(_, tag)| !known.contains(tag)) {
        fields.refuse(&format!("tags[{at}]"), "UNKNOWN_TAG", "There is no such tag.");
    }
    Ok(())
}

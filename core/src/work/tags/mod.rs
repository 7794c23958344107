//! Tags: what an organization calls tasks and time entries beside their project.
//!
//! They are named by their ids, so that a new name changes no task. Whoever takes one away asks `time_entries::remove_tag`,
//! since only there it is known who has it.

pub(crate) mod entity;

use std::collections::HashSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};

use entity::ActiveModel;
pub use entity::Model as Tag;
pub(crate) use entity::{Column, Entity};

use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::TagId,
        pagination::{Page, PageRequest},
        permissions::{RequiredPermission, TasksCreate, TasksRead, TasksUpdate},
        text::{SearchTerm, TagName},
    },
    storage::{
        audit::{Action, Details},
        db::{Expected, OrgTx, SortKey, TenantTable, contains},
    },
};

/// What the list can be ordered by. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKey {
    /// When it was made.
    CreatedAt,
    /// Its name, without regard to case.
    Name,
}

impl SortKey for TagKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::Name => Column::NameKey,
        }
    }
}

/// The facts of a tag that the audit log tells.
pub(crate) fn facts(tag: &Tag) -> Value {
    json!({ "name": tag.name })
}

/// One page of the tags; with a `term`, of those whose name contains it.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(
    tx: &OrgTx<TasksRead>,
    term: Option<SearchTerm>,
    listing: PageRequest<TagKey>,
) -> Result<Page<Tag>> {
    let named = term.map(|term| contains(Column::NameKey, term.key()));
    tx.find::<Entity>().filter(Condition::all().add_option(named)).page(listing).await
}

/// Whether there is such a tag, for whoever may do anything to it.
///
/// # Errors
/// `NotFound`, also when it is another organization's.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: TagId) -> Result<()> {
    match tx.find::<Entity>().filter(Column::Id.eq(id)).exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

/// Adds a tag.
///
/// # Errors
/// `TAG_NAME_TAKEN`.
pub async fn create(tx: &OrgTx<TasksCreate>, name: TagName) -> Result<Tag> {
    let now = tx.now();
    let tag = tx
        .insert(ActiveModel {
            id: Set(TagId::new(now)),
            name_key: Set(name.key()),
            name: Set(name.into()),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    tx.record(Action::TagCreated, tag.id, Details::created(facts(&tag))).await?;
    Ok(tag)
}

/// Renames a tag; `None` leaves its name as it is. A change that changes nothing leaves no trace.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version; `TAG_NAME_TAKEN`.
pub async fn update(
    tx: &OrgTx<TasksUpdate>,
    id: TagId,
    name: Option<TagName>,
    expected: &Expected,
) -> Result<Tag> {
    let before = tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await?;
    expected.check(&before.version)?;
    let Some(name) = name.filter(|name| name.as_str() != before.name) else { return Ok(before) };
    if name.key() != before.name_key {
        tx.refuse_taken::<Entity>(Column::NameKey, name.key(), ErrorCode::TagNameTaken).await?;
    }
    let tag = tx
        .update(ActiveModel {
            id: Set(id),
            name_key: Set(name.key()),
            name: Set(name.into()),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    tx.record(Action::TagUpdated, id, Details::changed(facts(&before), facts(&tag))).await?;
    Ok(tag)
}

/// Which of these tags are the organization's.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn known<P: RequiredPermission>(tx: &OrgTx<P>, tags: Vec<TagId>) -> Result<HashSet<TagId>> {
    let known = tx.find::<Entity>().all_of(Column::Id, tags).await?;
    Ok(known.into_iter().map(|tag| tag.id).collect())
}

/// Notes in `fields` which of `tags`, given as `tags[0]` and so on, are not `known`.
pub(crate) fn refuse_unknown(known: &HashSet<TagId>, tags: &[TagId], fields: &mut FieldErrors) {
    for (at, _) in tags.iter().enumerate().filter(|(_, tag)| !known.contains(tag)) {
        fields.add(&format!("tags[{at}]"), "UNKNOWN_TAG", "There is no such tag.");
    }
}

/// Notes in `fields` which of `tags`, given as `tags[0]` and so on, are none of the organization.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn check<P: RequiredPermission>(
    tx: &OrgTx<P>,
    tags: &[TagId],
    fields: &mut FieldErrors,
) -> Result<()> {
    let known = known(tx, tags.to_vec()).await?;
    refuse_unknown(&known, tags, fields);
    Ok(())
}

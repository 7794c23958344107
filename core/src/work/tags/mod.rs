//! Tags for tasks and time entries.
//!
//! Tasks and time entries refer to tags by id, so renaming a tag does not change them. `time_entries::delete_tag`
//! deletes tags, because only that module knows all references.

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
        text::{self, SearchTerm, TagName},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx, SortKey, TenantTable, contains_term},
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

/// The fields of a tag that audit events contain.
pub(crate) fn facts(tag: &Tag) -> Value {
    json!({ "name": tag.name })
}

/// Lists one page of the tags; with a `term`, only those whose name contains it.
///
/// # Errors
/// Errors of the database.
pub async fn list(
    tx: &OrgTx<TasksRead>,
    term: Option<SearchTerm>,
    listing: PageRequest<TagKey>,
) -> Result<Page<Tag>> {
    let named = term.as_ref().map(|term| contains_term(Column::SearchKey, term));
    tx.find::<Entity>().filter(Condition::all().add_option(named)).page(listing).await
}

/// The first tags whose name contains the term, by name.
pub(crate) async fn search<P: RequiredPermission>(
    tx: &OrgTx<P>,
    term: &SearchTerm,
    limit: u64,
) -> Result<Vec<Tag>> {
    tx.find::<Entity>().filter(contains_term(Column::SearchKey, term)).first(Column::NameKey, limit).await
}

/// Checks that a tag exists, with any permission on tags.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: TagId) -> Result<()> {
    match tx.find::<Entity>().filter(Column::Id.eq(id)).exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

/// Creates a tag.
///
/// # Errors
/// `TAG_NAME_TAKEN`.
pub async fn create(tx: &OrgTx<TasksCreate>, name: TagName) -> Result<Tag> {
    let now = tx.now();
    let tag = tx
        .insert(ActiveModel {
            id: Set(TagId::new(now)),
            name_key: Set(name.key()),
            search_key: Set(text::search_key(name.as_str())),
            name: Set(name.into()),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    tx.record(Action::TagCreated, tag.id, EventDetails::created(facts(&tag))).await?;
    Ok(tag)
}

/// Renames a tag; `None` keeps its name. A change without effect creates neither a new version nor an audit event.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version; `TAG_NAME_TAKEN`.
pub async fn update(
    tx: &OrgTx<TasksUpdate>,
    id: TagId,
    name: Option<TagName>,
    expected: &ExpectedVersion,
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
            search_key: Set(text::search_key(name.as_str())),
            name: Set(name.into()),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    tx.record(Action::TagUpdated, id, EventDetails::changed(facts(&before), facts(&tag))).await?;
    Ok(tag)
}

/// The tags in the list that exist in the organization.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn known<P: RequiredPermission>(tx: &OrgTx<P>, tags: Vec<TagId>) -> Result<HashSet<TagId>> {
    let known = tx.find::<Entity>().all_of(Column::Id, tags).await?;
    Ok(known.into_iter().map(|tag| tag.id).collect())
}

/// Adds an error to `fields` for each of `tags` that is not in `known`, such as `tags[0]`.
pub(crate) fn refuse_unknown(known: &HashSet<TagId>, tags: &[TagId], fields: &mut FieldErrors) {
    for (at, _) in tags.iter().enumerate().filter(|(_, tag)| !known.contains(tag)) {
        fields.add(&format!("tags[{at}]"), "UNKNOWN_TAG", "There is no such tag.");
    }
}

/// Adds an error to `fields` for each of `tags` that does not exist in the organization, such as `tags[0]`.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn check<P: RequiredPermission>(
    tx: &OrgTx<P>,
    tags: &[TagId],
    fields: &mut FieldErrors,
) -> Result<()> {
    let known = known(tx, tags.to_vec()).await?;
    refuse_unknown(&known, tags, fields);
    Ok(())
}

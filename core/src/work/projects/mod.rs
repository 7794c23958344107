//! Projects, the resource to copy. Conventions of all resources are explained here once.
//!
//! Each function takes the transaction of exactly the permission that it needs. The signature shows who can call it,
//! and a call without a permission check does not compile. Functions never begin or commit a transaction; handlers do.
//! They take no organization id: the transaction is limited to one organization, and rows of others are `NotFound`.

mod archive;
mod offboarding;
pub(crate) mod entity;
mod references;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod project_members_entity;
mod project_members;
mod access;

use std::ops::RangeInclusive;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};

pub(crate) use access::{hidden, visible};
pub use archive::{archive, unarchive};
use entity::ActiveModel;
pub use entity::Model as Project;
pub(crate) use entity::{Column, Entity};
pub(crate) use offboarding::remove_member;
pub use project_members::{ProjectMembers, get_members, set_members};
pub(crate) use references::{find_referenced, find_referenced_by_code, refuse_archived};

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::ProjectId,
        pagination::{Page, PageRequest},
        permissions::{
            Permission, ProjectsCreate, ProjectsDelete, ProjectsRead, ProjectsUpdate, RequiredPermission,
        },
        text::{self, Color, Name, ProjectCode, SearchTerm},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx, ScopedQuery, SortKey, TenantTable, contains_term},
    },
    tenancy::members,
};

/// A new project. Its fields are types that only parse when they are valid, so nothing is checked again here.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Short name; unique in the organization.
    pub code: ProjectCode,
    /// Display name.
    pub name: Name,
    /// `None`: no color.
    pub color: Option<Color>,
    /// Whether only its members can see it, and users who can update projects.
    pub is_private: bool,
    /// In seconds, one of [`ESTIMATE_SECONDS`].
    pub estimate_seconds: Option<i64>,
}

/// The allowed estimates in seconds: up to 100,000 hours.
pub const ESTIMATE_SECONDS: RangeInclusive<i64> = 1..=360_000_000;

/// The changes; `None` keeps a field.
#[derive(Clone, Debug, Default)]
pub struct ProjectChanges {
    /// Short name; unique in the organization.
    pub code: Option<ProjectCode>,
    /// Display name.
    pub name: Option<Name>,
    /// `Some(None)` clears it.
    pub color: Option<Option<Color>>,
    /// Whether only its members can see it, and users who can update projects.
    pub is_private: Option<bool>,
    /// In seconds, one of [`ESTIMATE_SECONDS`]; `Some(None)` clears it.
    pub estimate_seconds: Option<Option<i64>>,
}

/// Filter of the list; `None` matches all projects.
#[derive(Clone, Debug, Default)]
pub struct ProjectFilter {
    /// Only the project with this code.
    pub code: Option<ProjectCode>,
    /// Only projects whose code or name contains the term.
    pub term: Option<SearchTerm>,
    /// Only archived projects, or only others.
    pub is_archived: Option<bool>,
    /// Only deleted projects, which can be restored; otherwise only others.
    pub is_deleted: bool,
}

/// What the list can be ordered by. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectKey {
    /// When it was made.
    CreatedAt,
    /// Its name.
    Name,
    /// Its code, without regard to case.
    Code,
}

impl SortKey for ProjectKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::Name => Column::Name,
            Self::Code => Column::CodeKey,
        }
    }
}

/// The fields of a project that audit events contain.
fn facts(project: &Project) -> Value {
    json!({
        "code": project.code,
        "name": project.name,
        "color": project.color,
        "is_private": project.is_private,
        "estimate_seconds": project.estimate_seconds,
    })
}

/// Lists one page of the projects that the caller can see.
///
/// # Errors
/// `Forbidden` for deleted projects without `projects:delete`.
pub async fn list(
    tx: &OrgTx<ProjectsRead>,
    filter: ProjectFilter,
    listing: PageRequest<ProjectKey>,
) -> Result<Page<Project>> {
    let code = filter.code.map(|code| code.key());
    let archived = filter.is_archived.map(|is_archived| match is_archived {
        true => Column::ArchivedAt.is_not_null(),
        false => Column::ArchivedAt.is_null(),
    });
    let projects = if filter.is_deleted {
        members::require_permission(tx, Permission::ProjectsDelete).await?;
        tx.find_deleted::<Entity>()
    } else {
        tx.find::<Entity>()
    };
    let projects = projects.filter(visible(tx)).filter_some(Column::CodeKey, code);
    let term = filter.term.as_ref().map(|term| contains_term(Column::SearchKey, term));
    projects.filter(Condition::all().add_option(archived).add_option(term)).page(listing).await
}

/// The first projects that the caller can see whose code or name contains the term, by code.
pub(crate) async fn search<P: RequiredPermission>(
    tx: &OrgTx<P>,
    term: &SearchTerm,
    limit: u64,
) -> Result<Vec<Project>> {
    tx.find::<Entity>()
        .filter(visible(tx))
        .filter(contains_term(Column::SearchKey, term))
        .first(Column::CodeKey, limit)
        .await
}

/// Gets one project.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization or is private.
pub async fn get(tx: &OrgTx<ProjectsRead>, id: ProjectId) -> Result<Project> {
    find_visible(tx, id).one().await
}

/// Gets a project that is not deleted and that the caller can see.
fn find_visible<P: RequiredPermission>(tx: &OrgTx<P>, id: ProjectId) -> ScopedQuery<'_, Entity> {
    tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx))
}

/// Checks that a project exists and that the caller can see it, with any permission on projects.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization or is private.
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: ProjectId) -> Result<()> {
    match find_visible(tx, id).exists().await? {
        true => Ok(()),
        false => Err(Error::NotFound(Entity::NAME)),
    }
}

/// Creates a project. The creator of a private project becomes its first member if they could not see it otherwise.
///
/// # Errors
/// `PROJECT_CODE_TAKEN`.
pub async fn create(tx: &OrgTx<ProjectsCreate>, new: NewProject) -> Result<Project> {
    let now = tx.now();
    let project = tx
        .insert(ActiveModel {
            id: Set(ProjectId::new(now)),
            code_key: Set(new.code.key()),
            search_key: Set(search_key(new.code.as_str(), new.name.as_str())),
            code: Set(new.code.into()),
            name: Set(new.name.into()),
            color: Set(new.color.map(Into::into)),
            is_private: Set(new.is_private),
            archived_at: Set(None),
            estimate_seconds: Set(new.estimate_seconds),
            version: Set(1),
            deleted_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            // `insert` sets the organization of the transaction.
            ..Default::default()
        })
        .await?;
    if project.is_private && !tx.may(Permission::ProjectsUpdate) {
        project_members::add_members(tx, project.id, tx.member().into_iter().collect()).await?;
    }
    tx.record(Action::ProjectCreated, project.id, EventDetails::created(facts(&project))).await?;
    Ok(project)
}

/// Updates a project. A change without effect creates neither a new version nor an audit event.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version; `PROJECT_CODE_TAKEN`.
pub async fn update(
    tx: &OrgTx<ProjectsUpdate>,
    id: ProjectId,
    changes: ProjectChanges,
    expected: &ExpectedVersion,
) -> Result<Project> {
    // Locked first: of two concurrent changes, the second sees the result of the first, and `expected` is compared with
    // it.
    let before = find_visible(tx, id).one_locked().await?;
    expected.check(&before.version)?;
    let mut after = before.clone();
    if let Some(code) = changes.code {
        (after.code_key, after.code) = (code.key(), code.into());
    }
    if let Some(name) = changes.name {
        after.name = name.into();
    }
    if let Some(color) = changes.color {
        after.color = color.map(Into::into);
    }
    after.is_private = changes.is_private.unwrap_or(after.is_private);
    after.estimate_seconds = changes.estimate_seconds.unwrap_or(after.estimate_seconds);
    if after == before {
        return Ok(before);
    }
    after.search_key = search_key(&after.code, &after.name);
    if after.code_key != before.code_key {
        refuse_taken(tx, &after.code_key).await?;
    }
    let project = tx
        .update(ActiveModel {
            id: Set(id),
            code: Set(after.code),
            code_key: Set(after.code_key),
            name: Set(after.name),
            search_key: Set(after.search_key),
            color: Set(after.color),
            is_private: Set(after.is_private),
            estimate_seconds: Set(after.estimate_seconds),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let details = EventDetails::changed(facts(&before), facts(&project));
    tx.record(Action::ProjectUpdated, id, details).await?;
    Ok(project)
}

/// Code and name on a line each, so that no term matches the end of one and the start of the other.
fn search_key(code: &str, name: &str) -> String {
    text::search_key(&format!("{code}\n{name}"))
}

/// Fails if another project has this code.
async fn refuse_taken<P: RequiredPermission>(tx: &OrgTx<P>, code_key: &str) -> Result<()> {
    tx.refuse_taken::<Entity>(Column::CodeKey, code_key, ErrorCode::ProjectCodeTaken).await
}

/// Deletes a project. It can be restored.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn delete(tx: &OrgTx<ProjectsDelete>, id: ProjectId, expected: &ExpectedVersion) -> Result<()> {
    let before = find_visible(tx, id).one_locked().await?;
    expected.check(&before.version)?;
    let removed = ActiveModel {
        id: Set(id),
        version: Set(before.version + 1),
        deleted_at: Set(Some(tx.now())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(removed).await?;
    tx.record(Action::ProjectDeleted, id, EventDetails::removed(facts(&before))).await
}

/// Restores a deleted project with its id.
///
/// # Errors
/// `NotFound` if no deleted project has this id; `PROJECT_CODE_TAKEN` if another project has its code now.
pub async fn restore(tx: &OrgTx<ProjectsDelete>, id: ProjectId) -> Result<Project> {
    let deleted = tx.find_deleted::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx));
    let before = deleted.one_locked().await?;
    refuse_taken(tx, &before.code_key).await?;
    let restored = ActiveModel {
        id: Set(id),
        version: Set(before.version + 1),
        deleted_at: Set(None),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let project = tx.update(restored).await?;
    tx.record(Action::ProjectRestored, id, EventDetails::created(facts(&project))).await?;
    Ok(project)
}

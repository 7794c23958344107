//! Projects that a body names.

use sea_orm::ColumnTrait;

use super::{Column, Entity, Project, seen, visible};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::ProjectId,
        permissions::RequiredPermission,
        text::ProjectCode,
    },
    storage::db::OrgTx,
};

/// The project that a body names in `project_id`; notes in `fields` that there is none, or none that the caller sees.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn given<P: RequiredPermission>(
    tx: &OrgTx<P>,
    id: ProjectId,
    fields: &mut FieldErrors,
) -> Result<Option<Project>> {
    match seen(tx, id).one().await {
        Err(Error::NotFound(_)) => {
            fields.add("project_id", "UNKNOWN_PROJECT", "There is no such project.");
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// As [`given`], of a project that a body names by its code in `project_code`.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn given_by_code<P: RequiredPermission>(
    tx: &OrgTx<P>,
    code: &ProjectCode,
    fields: &mut FieldErrors,
) -> Result<Option<Project>> {
    match tx.find::<Entity>().filter(Column::CodeKey.eq(code.key())).filter(visible(tx)).one().await {
        Err(Error::NotFound(_)) => {
            fields.add("project_code", "UNKNOWN_PROJECT", "There is no project with this code.");
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// Refuses new work on a project that is archived.
///
/// # Errors
/// `PROJECT_ARCHIVED`.
pub(crate) fn refuse_archived(project: &Project) -> Result<()> {
    match project.archived_at {
        None => Ok(()),
        Some(_) => Err(ErrorCode::ProjectArchived.refuse_at("project_id")),
    }
}

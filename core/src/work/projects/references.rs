//! Projects that request bodies refer to.

use sea_orm::ColumnTrait;

use super::{Column, Entity, Project, find_visible, visible};
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

/// Finds the project in `project_id`. Adds an error to `fields` if it does not exist or the caller cannot see it.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn find_referenced<P: RequiredPermission>(
    tx: &OrgTx<P>,
    id: ProjectId,
    fields: &mut FieldErrors,
) -> Result<Option<Project>> {
    match find_visible(tx, id).one().await {
        Err(Error::NotFound(_)) => {
            fields.add("project_id", "UNKNOWN_PROJECT", "There is no such project.");
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// Like [`find_referenced`], for the code in `project_code`.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn find_referenced_by_code<P: RequiredPermission>(
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

/// Rejects new work on an archived project.
///
/// # Errors
/// `PROJECT_ARCHIVED`.
pub(crate) fn refuse_archived(project: &Project) -> Result<()> {
    match project.archived_at {
        None => Ok(()),
        Some(_) => Err(ErrorCode::ProjectArchived.refuse_at("project_id")),
    }
}

//! A project that the body of something else names.

use sea_orm::ColumnTrait;

use super::{Column, Entity, Project, visible};
use crate::{
    Error, Result,
    access::Grant,
    db::OrgTx,
    error::{Code, Fields},
    ids::ProjectId,
    text::Fault,
};

/// The project that `project_id` names, living and seen by the caller; where there is none, that is noted in `fields`.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn given<P: Grant>(
    tx: &OrgTx<P>,
    id: ProjectId,
    fields: &mut Fields,
) -> Result<Option<Project>> {
    match tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one().await {
        Ok(project) => Ok(Some(project)),
        Err(Error::NotFound(_)) => {
            fields.refuse("project_id", "UNKNOWN_PROJECT", "There is no such project.");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// # Errors
/// `PROJECT_ARCHIVED`, naming `project_id`.
pub(crate) fn refuse_archived(project: &Project) -> Result<()> {
    let message = "This project is archived.".to_owned();
    let fault = Fault { code: "PROJECT_ARCHIVED", message };
    match project.archived_at {
        Some(_) => Err(Code::ProjectArchived.refuse_field("project_id", fault)),
        None => Ok(()),
    }
}

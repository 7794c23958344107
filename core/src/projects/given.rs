//! Projects that a body names.

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

/// The project that a body names in `project_id`; notes in `fields` that there is none, or none that the caller sees.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn given<P: Grant>(
    tx: &OrgTx<P>,
    id: ProjectId,
    fields: &mut Fields,
) -> Result<Option<Project>> {
    match tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one().await {
        Err(Error::NotFound(_)) => {
            fields.refuse("project_id", "UNKNOWN_PROJECT", "There is no such project.");
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
        Some(_) => {
            let code = Code::ProjectArchived;
            let fault = Fault { code: code.as_str(), message: code.sentence().to_owned() };
            Err(code.refuse_field("project_id", fault))
        }
    }
}

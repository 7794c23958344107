//! The project, task and tags that the body of a time entry refers to.

use sea_orm::ColumnTrait;

use super::MOST_TAGS;
use crate::{
    Error, Result,
    base::{
        error::FieldErrors,
        ids::{ProjectId, TagId, TaskId},
        permissions::RequiredPermission,
        text::ProjectCode,
    },
    storage::db::OrgTx,
    work::{
        projects::{self, Project},
        tags,
        tasks::{self, Task},
    },
};

/// A project in a request body.
#[derive(Clone, Debug)]
pub enum ProjectRef {
    /// By the id of the project.
    Id(ProjectId),
    /// Case-insensitive.
    Code(ProjectCode),
}

/// The project and the task that a body refers to.
pub(super) struct ResolvedReferences {
    pub(super) project: Option<Project>,
    pub(super) task: Option<Task>,
}

impl ResolvedReferences {
    /// Finds both. Adds an error to `fields` if one does not exist, or if the task belongs to another project.
    pub(super) async fn resolve<P: RequiredPermission>(
        tx: &OrgTx<P>,
        project: Option<ProjectRef>,
        task: Option<TaskId>,
        fields: &mut FieldErrors,
    ) -> Result<Self> {
        let is_named = project.is_some();
        let mut project = match project {
            Some(ProjectRef::Id(id)) => projects::find_referenced(tx, id, fields).await?,
            Some(ProjectRef::Code(code)) => projects::find_referenced_by_code(tx, &code, fields).await?,
            None => None,
        };
        let task = match task {
            Some(task) => find_task(tx, task, fields).await?,
            None => None,
        };
        match (task.as_ref().map(|task| task.project_id), &project) {
            // With a task, the project can be omitted.
            (Some(Some(of_task)), None) if !is_named => {
                project = projects::find_referenced(tx, of_task, fields).await?;
            }
            (Some(of_task), Some(project)) if of_task != Some(project.id) => add_wrong_project_error(fields),
            _ => {}
        }
        Ok(Self { project, task })
    }
}

/// Adds the error that a task belongs to another project.
pub(super) fn add_wrong_project_error(fields: &mut FieldErrors) {
    fields.add("task_id", "TASK_OF_OTHER_PROJECT", "This task does not belong to the given project.");
}

async fn find_task<P: RequiredPermission>(
    tx: &OrgTx<P>,
    id: TaskId,
    fields: &mut FieldErrors,
) -> Result<Option<Task>> {
    let found = tx.find::<tasks::Entity>().filter(tasks::Column::Id.eq(id)).filter(tasks::visible(tx));
    match found.one().await {
        Err(Error::NotFound(_)) => {
            fields.add("task_id", "UNKNOWN_TASK", "There is no such task.");
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// Returns the tags of a body, sorted and without duplicates. Adds errors to `fields` for unknown tags and for too
/// many.
pub(super) async fn tags<P: RequiredPermission>(
    tx: &OrgTx<P>,
    mut tags: Vec<TagId>,
    fields: &mut FieldErrors,
) -> Result<Vec<TagId>> {
    tags::check(tx, &tags, fields).await?;
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MOST_TAGS {
        fields.add("tags", "TOO_MANY", format!("A time entry can have at most {MOST_TAGS} tags."));
    }
    Ok(tags)
}

//! What somebody worked on: a project, or a task and with it its project; and tags.

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

/// A project, as a body names it.
#[derive(Clone, Debug)]
pub enum ProjectRef {
    /// By its id.
    Id(ProjectId),
    /// By its code, without regard to case.
    Code(ProjectCode),
}

/// What a body says of the work, looked up.
pub(super) struct ResolvedReferences {
    pub(super) project: Option<Project>,
    pub(super) task: Option<Task>,
}

impl ResolvedReferences {
    /// Looks up what is named; notes in `fields` what there is not, and what does not go together.
    pub(super) async fn look_up<P: RequiredPermission>(
        tx: &OrgTx<P>,
        project: Option<ProjectRef>,
        task: Option<TaskId>,
        fields: &mut FieldErrors,
    ) -> Result<Self> {
        let is_named = project.is_some();
        let mut project = match project {
            Some(ProjectRef::Id(id)) => projects::given(tx, id, fields).await?,
            Some(ProjectRef::Code(code)) => projects::given_by_code(tx, &code, fields).await?,
            None => None,
        };
        let task = match task {
            Some(task) => find_task(tx, task, fields).await?,
            None => None,
        };
        match (task.as_ref().map(|task| task.project_id), &project) {
            // Whoever names a task need not name its project.
            (Some(Some(of_task)), None) if !is_named => {
                project = projects::given(tx, of_task, fields).await?;
            }
            (Some(of_task), Some(project)) if of_task != Some(project.id) => refuse_stray_task(fields),
            _ => {}
        }
        Ok(Self { project, task })
    }
}

/// Notes that a task is of another project than the one it is named with.
pub(super) fn refuse_stray_task(fields: &mut FieldErrors) {
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

/// The tags that a body names, sorted, each once; notes in `fields` which there are not, and that they are too many.
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

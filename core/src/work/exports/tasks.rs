//! Tasks, ordered by creation time.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset};
use sea_orm::{ColumnTrait, Condition};
use serde::Serialize;
use serde_json::{Value, json};

use super::{BATCH, ExportSelection, references::ExportReferences};
use crate::{
    Result,
    base::{
        ids::{MemberId, ProjectId, TagId, TaskId},
        pagination::{CursorPosition, Page, PageRequest, Sort},
        permissions::ExportsCreate,
        text::TimeZone,
    },
    storage::{
        audit::Action,
        db::{OrgTx, SortKey},
    },
    work::tasks::{self, Column, Task, TaskStatus, task_tags},
};

/// Filter of the export; `None` matches all tasks.
#[derive(Clone, Debug, Default)]
pub struct TaskSelection {
    /// Only tasks of this project.
    pub project: Option<ProjectId>,
    /// Only tasks with this status; in a row: its name in the API.
    pub status: Option<TaskStatus>,
    /// Time zone of all times in the file; UTC if none was requested.
    pub zone: Option<TimeZone>,
}

/// A task in a file. The field names are the columns of the CSV, except `tag_ids`.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedTask {
    /// The task.
    pub id: TaskId,
    /// A single line.
    pub title: String,
    /// `None` without a description.
    pub description: Option<String>,
    /// Only tasks with this status; in a row: its name in the API.
    pub status: &'static str,
    /// Its name in the API.
    pub priority: &'static str,
    /// With the UTC offset of the requested time zone.
    pub due_at: Option<DateTime<FixedOffset>>,
    /// `None` without a project.
    pub project_id: Option<ProjectId>,
    /// `None` without a project.
    pub project_code: Option<String>,
    /// The assigned member.
    pub assignee_id: Option<MemberId>,
    /// E-mail address of the assigned member.
    pub assignee_email: Option<String>,
    /// Position in the manual order.
    pub position: i64,
    /// When the status became `done`.
    pub completed_at: Option<DateTime<FixedOffset>>,
    /// When it was created, with the UTC offset of the requested time zone.
    pub created_at: DateTime<FixedOffset>,
    /// When it was last changed, with the same offset.
    pub updated_at: DateTime<FixedOffset>,
    /// Names of the tags, sorted.
    pub tags: Vec<String>,
    /// Ids of the tags, in the order of their names.
    pub tag_ids: Vec<TagId>,
}

/// The keyset order: creation time, then id.
#[derive(Clone, Copy)]
struct ByCreation;

impl SortKey for ByCreation {
    type Table = tasks::Entity;

    fn column(self) -> Column {
        Column::CreatedAt
    }
}

impl TaskSelection {
    fn condition(&self, tx: &OrgTx<ExportsCreate>) -> Condition {
        Condition::all()
            .add(tasks::visible(tx))
            .add_option(self.project.map(|project| Column::ProjectId.eq(project)))
            .add_option(self.status.map(|status| Column::Status.eq(status)))
    }
}

impl ExportSelection for TaskSelection {
    type Row = ExportedTask;
    const ACTION: Action = Action::TasksExported;

    fn facts(&self) -> Value {
        json!({ "project_id": self.project, "status": self.status.map(TaskStatus::as_str) })
    }

    async fn count(&self, tx: &OrgTx<ExportsCreate>) -> Result<u64> {
        tx.find::<tasks::Entity>().filter(self.condition(tx)).count().await
    }

    async fn batch(
        &self,
        tx: &OrgTx<ExportsCreate>,
        after: Option<CursorPosition>,
    ) -> Result<Page<ExportedTask>> {
        let listing = PageRequest { limit: BATCH, sort: Sort { key: ByCreation, descending: false }, after };
        let page = tx.find::<tasks::Entity>().filter(self.condition(tx)).page(listing).await?;
        let links = task_tags::Column::TaskId.is_in(page.data.iter().map(|task| task.id));
        let links = tx.find::<task_tags::Entity>().filter(links).all().await?;
        let names = ExportReferences::of(
            tx,
            page.data.iter().filter_map(|task| task.assignee_id),
            page.data.iter().filter_map(|task| task.project_id),
            links.iter().map(|link| link.tag_id),
        );
        let names = names.await?;
        let mut tags: HashMap<TaskId, Vec<TagId>> = HashMap::new();
        links.into_iter().for_each(|link| tags.entry(link.task_id).or_default().push(link.tag_id));
        let zone = self.zone.clone().unwrap_or_else(TimeZone::utc);
        let row = |task: Task| {
            let tags = names.sorted_tags(tags.remove(&task.id).unwrap_or_default());
            exported(task, &names, tags, &zone)
        };
        Ok(Page { data: page.data.into_iter().map(row).collect(), next: page.next })
    }
}

fn exported(
    task: Task,
    names: &ExportReferences,
    tags: Vec<(String, TagId)>,
    zone: &TimeZone,
) -> ExportedTask {
    let (tags, tag_ids) = tags.into_iter().unzip();
    ExportedTask {
        id: task.id,
        title: task.title,
        description: task.description,
        status: task.status.as_str(),
        priority: task.priority.as_str(),
        due_at: task.due_at.map(|at| zone.local(at)),
        project_id: task.project_id,
        project_code: task.project_id.and_then(|project| names.code(project)),
        assignee_id: task.assignee_id,
        assignee_email: task.assignee_id.and_then(|member| names.email(member)),
        position: task.position,
        completed_at: task.completed_at.map(|at| zone.local(at)),
        created_at: zone.local(task.created_at),
        updated_at: zone.local(task.updated_at),
        tags,
        tag_ids,
    }
}

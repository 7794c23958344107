//! Tasks, in the order in which they were made.

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

/// Which tasks are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct TaskSelection {
    /// Those of this project.
    pub project: Option<ProjectId>,
    /// Those that stand there.
    pub status: Option<TaskStatus>,
    /// By whose clocks instants are written; UTC where it is not said.
    pub zone: Option<TimeZone>,
}

/// A task as a file has it. The names of its members are the columns of the CSV, but for `tag_ids`.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedTask {
    /// The task.
    pub id: TaskId,
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it stands.
    pub status: &'static str,
    /// How much it matters.
    pub priority: &'static str,
    /// Until when.
    pub due_at: Option<DateTime<FixedOffset>>,
    /// Of which project.
    pub project_id: Option<ProjectId>,
    /// Its code.
    pub project_code: Option<String>,
    /// Who is to do it.
    pub assignee_id: Option<MemberId>,
    /// His address.
    pub assignee_email: Option<String>,
    /// Its place in the order that people give.
    pub position: i64,
    /// When it was done.
    pub completed_at: Option<DateTime<FixedOffset>>,
    /// When it was made.
    pub created_at: DateTime<FixedOffset>,
    /// When it last changed.
    pub updated_at: DateTime<FixedOffset>,
    /// The names of its tags, in their order.
    pub tags: Vec<String>,
    /// The tags, in the order of their names.
    pub tag_ids: Vec<TagId>,
}

/// By when they were made.
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
            let tags = names.tagged(tags.remove(&task.id).unwrap_or_default());
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

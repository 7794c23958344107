//! The projects, members and tags that new tasks refer to, queried once for all tasks.

use std::collections::{HashMap, HashSet};

use sea_orm::ColumnTrait;

use super::{Column, Entity, NewTask, POSITION_MAX, STEP};
use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::{ProjectId, TagId},
        permissions::WritePermission,
    },
    storage::db::OrgTx,
    tenancy::members::ReferencedMembers,
    work::{
        projects::{self, Project},
        tags,
    },
};

/// The rows that exist, and the position of the last task of each project.
pub(super) struct TaskReferences {
    projects: HashMap<ProjectId, Project>,
    members: ReferencedMembers,
    tags: HashSet<TagId>,
    last: HashMap<Option<ProjectId>, i64>,
}

impl TaskReferences {
    pub(super) async fn load<P: WritePermission>(tx: &OrgTx<P>, new: &[NewTask]) -> Result<Self> {
        let project_ids: HashSet<_> = new.iter().filter_map(|new| new.project_id).collect();
        let assignees = new.iter().filter_map(|new| new.assignee_id).collect();
        let members = ReferencedMembers::lock(tx, assignees).await?;
        let tags = new.iter().flat_map(|new| new.tags.iter().copied()).collect();
        let tags = tags::known(tx, tags).await?;
        let (mut projects, mut last) = (HashMap::new(), HashMap::new());
        if !project_ids.is_empty() {
            let ids = projects::Column::Id.is_in(project_ids.iter().copied());
            let found = tx.find::<projects::Entity>().filter(ids).filter(projects::visible(tx)).all().await?;
            projects.extend(found.into_iter().map(|project| (project.id, project)));
        }
        let appended = new.iter().filter(|new| new.position.is_none()).map(|new| new.project_id);
        let appended: Vec<_> = appended.collect::<HashSet<_>>().into_iter().collect();
        let of_project = |project: &Option<ProjectId>| {
            project.map_or(Column::ProjectId.is_null(), |id| Column::ProjectId.eq(id))
        };
        let tasks = tx.find::<Entity>();
        let found = tasks.greatest_of_each(Column::Position, appended.iter().map(of_project)).await?;
        last.extend(appended.into_iter().zip(found).filter_map(|(project, last)| Some((project, last?))));
        Ok(Self { projects, members, tags, last })
    }

    /// The position of a new task.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` naming what does not exist or is not active; `PROJECT_ARCHIVED`.
    pub(super) fn check(&mut self, new: &NewTask) -> Result<i64> {
        let mut fields = FieldErrors::default();
        let project = new.project_id.map(|id| self.projects.get(&id));
        if let Some(None) = project {
            fields.add("project_id", "UNKNOWN_PROJECT", "There is no such project.");
        }
        if let Some(assignee) = new.assignee_id {
            self.members.check("assignee_id", assignee, &mut fields);
        }
        tags::refuse_unknown(&self.tags, &new.tags, &mut fields);
        fields.into_result()?;
        project.flatten().map_or(Ok(()), projects::refuse_archived)?;
        let last = self.last.entry(new.project_id).or_default();
        let position = new.position.unwrap_or(last.saturating_add(STEP).min(POSITION_MAX));
        *last = position.max(*last);
        Ok(position)
    }
}

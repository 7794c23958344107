//! Archive projects and take them out of the archive.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::{Project, entity::ActiveModel, find_visible};
use crate::{
    Result,
    base::{ids::ProjectId, permissions::ProjectsUpdate},
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
};

/// Archives a project, so that it accepts no new tasks and no new time entries. An archived project stays as it is.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn archive(
    tx: &OrgTx<ProjectsUpdate>,
    id: ProjectId,
    expected: &ExpectedVersion,
) -> Result<Project> {
    set(tx, id, Some(tx.now()), expected).await
}

/// Takes a project out of the archive. A project that is not archived stays as it is.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn unarchive(
    tx: &OrgTx<ProjectsUpdate>,
    id: ProjectId,
    expected: &ExpectedVersion,
) -> Result<Project> {
    set(tx, id, None, expected).await
}

async fn set(
    tx: &OrgTx<ProjectsUpdate>,
    id: ProjectId,
    archived_at: Option<DateTime<Utc>>,
    expected: &ExpectedVersion,
) -> Result<Project> {
    let before = find_visible(tx, id).one_locked().await?;
    expected.check(&before.version)?;
    if before.archived_at.is_some() == archived_at.is_some() {
        return Ok(before);
    }
    let project = tx
        .update(ActiveModel {
            id: Set(id),
            archived_at: Set(archived_at),
            version: Set(before.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let facts = |project: &Project| json!({ "archived_at": project.archived_at });
    let action = if archived_at.is_some() { Action::ProjectArchived } else { Action::ProjectUnarchived };
    tx.record(action, id, EventDetails::changed(facts(&before), facts(&project))).await?;
    Ok(project)
}

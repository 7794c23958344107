//! The members of a project. Only they can see a private project.

use std::collections::HashSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::json;

use super::{entity::ActiveModel, find_visible, project_members_entity};
use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::{MemberId, ProjectId, ProjectMemberId},
        permissions::{ProjectsRead, ProjectsUpdate, RequiredPermission, WritePermission},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx, chunks},
    },
    tenancy::members::ReferencedMembers,
};

/// The members of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectMembers {
    /// Ids of members, sorted.
    pub members: Vec<MemberId>,
    /// Version of the project, which includes its members.
    pub version: i64,
}

/// Lists the members of a project.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization or is private.
pub async fn get_members(tx: &OrgTx<ProjectsRead>, id: ProjectId) -> Result<ProjectMembers> {
    let version = find_visible(tx, id).one().await?.version;
    Ok(ProjectMembers { members: of(tx, id).await?, version })
}

/// Replaces the members of a project. Each field error names an entry, such as `members[0]`. Current members can stay,
/// even if they are suspended.
///
/// # Errors
/// `NotFound`; `VALIDATION_FAILED` naming members that do not exist or are not active; `PRECONDITION_FAILED` when
/// `expected` is not the version of the project.
pub async fn set_members(
    tx: &OrgTx<ProjectsUpdate>,
    id: ProjectId,
    wanted: Vec<MemberId>,
    expected: &ExpectedVersion,
) -> Result<ProjectMembers> {
    let references = ReferencedMembers::lock(tx, wanted.clone()).await?;
    let project = find_visible(tx, id).one_locked().await?;
    let before = of(tx, id).await?;
    let (old, new) = (before.iter().copied().collect(), wanted.iter().copied().collect::<HashSet<_>>());
    let added: HashSet<_> = new.difference(&old).copied().collect();
    let mut fields = FieldErrors::default();
    for (index, member) in wanted.iter().enumerate().filter(|(_, member)| added.contains(member)) {
        references.check(&format!("members[{index}]"), *member, &mut fields);
    }
    fields.into_result()?;
    expected.check(&project.version)?;
    if new == old {
        return Ok(ProjectMembers { members: before, version: project.version });
    }
    for removed in chunks(old.difference(&new).copied()) {
        let removed = project_members_entity::Column::MemberId.is_in(removed);
        let links = Condition::all().add(project_members_entity::Column::ProjectId.eq(id)).add(removed);
        tx.delete::<project_members_entity::Entity>(links).await?;
    }
    add_members(tx, id, added.into_iter().collect()).await?;
    let row = ActiveModel {
        id: Set(id),
        version: Set(project.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let version = tx.update(row).await?.version;
    let members = of(tx, id).await?;
    let details = EventDetails::changed(json!({ "members": before }), json!({ "members": members }));
    tx.record(Action::ProjectUpdated, id, details).await?;
    Ok(ProjectMembers { members, version })
}

pub(super) async fn add_members<P: WritePermission>(
    tx: &OrgTx<P>,
    project: ProjectId,
    members: Vec<MemberId>,
) -> Result<()> {
    let row = |member: MemberId| project_members_entity::ActiveModel {
        id: Set(ProjectMemberId::new(tx.now())),
        project_id: Set(project),
        member_id: Set(member),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    tx.insert_many(members.into_iter().map(row).collect()).await
}

async fn of<P: RequiredPermission>(tx: &OrgTx<P>, project: ProjectId) -> Result<Vec<MemberId>> {
    let links = tx
        .find::<project_members_entity::Entity>()
        .filter(project_members_entity::Column::ProjectId.eq(project))
        .all()
        .await?;
    let mut members: Vec<_> = links.into_iter().map(|link| link.member_id).collect();
    members.sort();
    Ok(members)
}

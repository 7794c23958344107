//! Who works on a project, and sees it where it is private.

use std::collections::HashSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::json;

use super::{entity::ActiveModel, project_members_entity, seen};
use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::{MemberId, ProjectId, ProjectMemberId},
        permissions::{ProjectsRead, ProjectsUpdate, RequiredPermission, WritePermission},
    },
    storage::{
        audit::{Action, Details},
        db::{Expected, OrgTx, chunks},
    },
    tenancy::members::ReferencedMembers,
};

/// The members of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectMembers {
    /// Who, in the order of their ids.
    pub members: Vec<MemberId>,
    /// That of the project, whose part they are.
    pub version: i64,
}

/// The members of a project.
///
/// # Errors
/// `NotFound`, also when it is another organization's, or private.
pub async fn team(tx: &OrgTx<ProjectsRead>, id: ProjectId) -> Result<ProjectMembers> {
    let version = seen(tx, id).one().await?.version;
    Ok(ProjectMembers { members: of(tx, id).await?, version })
}

/// Makes these, each given once as `members[0]` and so on, the members of a project, and nobody else. Whoever is one
/// already may stay, also while he is suspended.
///
/// # Errors
/// `NotFound`; `VALIDATION_FAILED` naming who is not there, or not active; `PRECONDITION_FAILED` when `expected` is not the
/// project's version.
pub async fn set_team(
    tx: &OrgTx<ProjectsUpdate>,
    id: ProjectId,
    wanted: Vec<MemberId>,
    expected: &Expected,
) -> Result<ProjectMembers> {
    let standings = ReferencedMembers::lock(tx, wanted.clone()).await?;
    let project = seen(tx, id).one_locked().await?;
    let before = of(tx, id).await?;
    let (old, new) = (before.iter().copied().collect(), wanted.iter().copied().collect::<HashSet<_>>());
    let added: HashSet<_> = new.difference(&old).copied().collect();
    let mut fields = FieldErrors::default();
    for (place, member) in wanted.iter().enumerate().filter(|(_, member)| added.contains(member)) {
        standings.check(&format!("members[{place}]"), *member, &mut fields);
    }
    fields.into_result()?;
    expected.check(&project.version)?;
    if new == old {
        return Ok(ProjectMembers { members: before, version: project.version });
    }
    for gone in chunks(old.difference(&new).copied()) {
        let gone = project_members_entity::Column::MemberId.is_in(gone);
        let links = Condition::all().add(project_members_entity::Column::ProjectId.eq(id)).add(gone);
        tx.delete::<project_members_entity::Entity>(links).await?;
    }
    join(tx, id, added.into_iter().collect()).await?;
    let row = ActiveModel {
        id: Set(id),
        version: Set(project.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let version = tx.update(row).await?.version;
    let members = of(tx, id).await?;
    let details = Details::changed(json!({ "members": before }), json!({ "members": members }));
    tx.record(Action::ProjectUpdated, id, details).await?;
    Ok(ProjectMembers { members, version })
}

pub(super) async fn join<P: WritePermission>(
    tx: &OrgTx<P>,
    project: ProjectId,
    who: Vec<MemberId>,
) -> Result<()> {
    let row = |member: MemberId| project_members_entity::ActiveModel {
        id: Set(ProjectMemberId::new(tx.now())),
        project_id: Set(project),
        member_id: Set(member),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    tx.insert_many(who.into_iter().map(row).collect()).await
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

//! The names of groups, with one query per table.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::GroupLevel;
use crate::{
    Result,
    base::permissions::RequiredPermission,
    identity::users,
    storage::db::OrgTx,
    tenancy::members,
    work::{projects, tags, tasks},
};

/// Names by id.
pub(super) type Labels = HashMap<String, String>;

/// The names for the ids of a level. Deleted rows have names, but projects that the caller cannot see and their tasks
/// have none.
pub(super) async fn labels<P: RequiredPermission>(
    tx: &OrgTx<P>,
    level: GroupLevel,
    ids: Vec<Uuid>,
) -> Result<Labels> {
    Ok(match level {
        GroupLevel::Day | GroupLevel::Week | GroupLevel::Month => Labels::new(),
        GroupLevel::Member => {
            let members_with_users = tx.find::<members::Entity>().with::<users::Entity>();
            let members_with_users = members_with_users.all_of(members::Column::Id, ids).await?;
            members_with_users
                .into_iter()
                .map(|(member, user)| (member.id.to_string(), user.display_name()))
                .collect()
        }
        GroupLevel::Project => {
            let found = tx.find::<projects::Entity>().including_deleted().filter(projects::visible(tx));
            let found = found.all_of(projects::Column::Id, ids).await?;
            found.into_iter().map(|project| (project.id.to_string(), project.name)).collect()
        }
        GroupLevel::Task => {
            let project = tasks::Column::ProjectId;
            let is_visible = tx.in_rows_of_including_deleted::<projects::Entity>(
                project,
                projects::Column::Id,
                projects::visible(tx),
            );
            let is_visible = Condition::any().add(project.is_null()).add(is_visible);
            let found = tx.find::<tasks::Entity>().including_deleted().filter(is_visible);
            let found = found.all_of(tasks::Column::Id, ids).await?;
            found.into_iter().map(|task| (task.id.to_string(), task.title)).collect()
        }
        GroupLevel::Tag => {
            let found = tx.find::<tags::Entity>().all_of(tags::Column::Id, ids).await?;
            found.into_iter().map(|tag| (tag.id.to_string(), tag.name)).collect()
        }
    })
}

//! What groups are called: one query for each kind of thing.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Condition};

use super::Level;
use crate::{
    Result,
    access::Grant,
    db::OrgTx,
    members, projects, tags, tasks,
    time_entries::{self, Column, tagged},
    users,
};

/// Names by the ids of what has them.
pub(super) type Labels = HashMap<String, String>;

/// The names of what the entries that `picked` names have on a level: also of what was deleted, but of no project that the
/// caller does not see, nor of its tasks. A key without one has no name for him.
pub(super) async fn labels<P: Grant>(tx: &OrgTx<P>, level: Level, picked: Condition) -> Result<Labels> {
    Ok(match level {
        Level::Day | Level::Week | Level::Month => Labels::new(),
        Level::Member => {
            let among = tx.among::<time_entries::Entity>(members::Column::Id, Column::MemberId, picked);
            let people = tx.find::<members::Entity>().with::<users::Entity>().filter(among).all().await?;
            people.into_iter().map(|(member, user)| (member.id.to_string(), user.display_name())).collect()
        }
        Level::Project => {
            let among = tx.among::<time_entries::Entity>(projects::Column::Id, Column::ProjectId, picked);
            let seen = projects::visible(tx);
            let found = tx.find::<projects::Entity>().ever().filter(among).filter(seen).all().await?;
            found.into_iter().map(|project| (project.id.to_string(), project.name)).collect()
        }
        Level::Task => {
            let among = tx.among::<time_entries::Entity>(tasks::Column::Id, Column::TaskId, picked);
            let project = tasks::Column::ProjectId;
            let seen =
                tx.among_ever::<projects::Entity>(project, projects::Column::Id, projects::visible(tx));
            let seen = Condition::any().add(project.is_null()).add(seen);
            let found = tx.find::<tasks::Entity>().ever().filter(among).filter(seen).all().await?;
            found.into_iter().map(|task| (task.id.to_string(), task.title)).collect()
        }
        Level::Tag => {
            let links = tx.among::<time_entries::Entity>(tagged::Column::TimeEntryId, Column::Id, picked);
            let among = tx.among::<tagged::Entity>(tags::Column::Id, tagged::Column::TagId, links);
            let found = tx.find::<tags::Entity>().filter(among).all().await?;
            found.into_iter().map(|tag| (tag.id.to_string(), tag.name)).collect()
        }
    })
}

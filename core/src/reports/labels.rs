//! What groups are called: one query for each kind of thing.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::Level;
use crate::{Result, access::Grant, db::OrgTx, members, projects, tags, tasks, users};

/// Ids of one statement: SQLite takes 32,766 values.
const MOST_IDS: usize = 10_000;

/// Names by the ids of what has them.
pub(super) type Labels = HashMap<String, String>;

/// The names of what these ids are of, on a level: also of what was deleted, but of no project that the caller does not see,
/// nor of its tasks. A key without one has no name for him.
pub(super) async fn labels<P: Grant>(tx: &OrgTx<P>, level: Level, ids: Vec<Uuid>) -> Result<Labels> {
    let mut labels = Labels::new();
    for ids in ids.chunks(MOST_IDS) {
        labels.extend(of(tx, level, ids).await?);
    }
    Ok(labels)
}

async fn of<P: Grant>(tx: &OrgTx<P>, level: Level, ids: &[Uuid]) -> Result<Labels> {
    let ids = ids.iter().copied();
    Ok(match level {
        Level::Day | Level::Week | Level::Month => Labels::new(),
        Level::Member => {
            let people = tx.find::<members::Entity>().with::<users::Entity>();
            let people = people.filter(members::Column::Id.is_in(ids)).all().await?;
            people.into_iter().map(|(member, user)| (member.id.to_string(), user.display_name())).collect()
        }
        Level::Project => {
            let found = tx.find::<projects::Entity>().ever().filter(projects::Column::Id.is_in(ids));
            let found = found.filter(projects::visible(tx)).all().await?;
            found.into_iter().map(|project| (project.id.to_string(), project.name)).collect()
        }
        Level::Task => {
            let project = tasks::Column::ProjectId;
            let seen =
                tx.among_ever::<projects::Entity>(project, projects::Column::Id, projects::visible(tx));
            let seen = Condition::any().add(project.is_null()).add(seen);
            let found = tx.find::<tasks::Entity>().ever().filter(tasks::Column::Id.is_in(ids));
            let found = found.filter(seen).all().await?;
            found.into_iter().map(|task| (task.id.to_string(), task.title)).collect()
        }
        Level::Tag => {
            let found = tx.find::<tags::Entity>().filter(tags::Column::Id.is_in(ids)).all().await?;
            found.into_iter().map(|tag| (tag.id.to_string(), tag.name)).collect()
        }
    })
}

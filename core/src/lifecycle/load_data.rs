//! Made-up work, to try Insula at its size: rows by the thousand, each like those that people write.

use chrono::{SubsecRound, TimeDelta};
use sea_orm::{ActiveValue::Set, ColumnTrait};

use crate::{
    Result,
    base::{
        ids::{MemberId, OrgId, ProjectId, TimeEntryId},
        permissions::{AuditOrigin, Platform},
    },
    storage::db::{Db, OrgTx},
    tenancy::members,
    work::{
        projects,
        time_entries::{self, Source},
    },
};

/// Rows of one statement: SQLite takes 32,766 values.
const STATEMENT: u32 = 500;

/// Rows of one transaction: nobody waits for long.
const TRANSACTION: u32 = 5_000;

/// How many projects an organization gets.
const PROJECTS: u32 = 10;

/// Adds projects to an organization, and time entries of each of its members in turn, over the past years; tells `done` how
/// many entries were added, time and again. None of it was done by anybody, and no log tells of it.
///
/// # Errors
/// Whatever the database refuses; what was added before stays.
pub async fn fill(db: &Db, org: OrgId, entries: u32, done: impl Fn(u32)) -> Result<()> {
    let projects = add_projects(db, org).await?;
    let mut from = 0;
    while from < entries {
        let until = entries.min(from + TRANSACTION);
        let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
        #[expect(clippy::disallowed_methods, reason = "the command line answers to nobody's membership")]
        let scope = tx.enter_org(org).await?;
        let members = active(&scope).await?;
        for first in (from..until).step_by(STATEMENT as usize) {
            let rows = first..until.min(first + STATEMENT);
            let rows: Vec<_> = rows.map(|number| entry(&scope, &members, &projects, number)).collect();
            scope.insert_many(rows).await?;
        }
        drop(scope);
        #[expect(clippy::disallowed_methods, reason = "nobody did any of this")]
        tx.commit_unaudited().await?;
        done(until - from);
        from = until;
    }
    Ok(())
}

async fn active(tx: &OrgTx<Platform>) -> Result<Vec<MemberId>> {
    let active = members::Column::Status.eq(members::ACTIVE);
    let members = tx.find::<members::Entity>().filter(active).first(members::Column::Id, 1_000).await?;
    Ok(members.into_iter().map(|member| member.id).collect())
}

async fn add_projects(db: &Db, org: OrgId) -> Result<Vec<ProjectId>> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    #[expect(clippy::disallowed_methods, reason = "the command line answers to nobody's membership")]
    let scope = tx.enter_org(org).await?;
    let (now, mut ids, mut rows) = (tx.now(), Vec::new(), Vec::new());
    for number in 1..=PROJECTS {
        let (id, code) = (ProjectId::new(now), format!("LOAD-{number}"));
        ids.push(id);
        rows.push(projects::entity::ActiveModel {
            id: Set(id),
            code_key: Set(code.to_lowercase()),
            name: Set(format!("Made-up project {number}")),
            code: Set(code),
            color: Set(None),
            is_private: Set(false),
            archived_at: Set(None),
            estimate_seconds: Set(None),
            version: Set(1),
            deleted_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        });
    }
    scope.insert_many(rows).await?;
    drop(scope);
    #[expect(clippy::disallowed_methods, reason = "nobody did any of this")]
    tx.commit_unaudited().await?;
    Ok(ids)
}

/// The entry of a number: each begins 97 minutes before the one before, and lasts from 5 to 180 minutes.
fn entry(
    tx: &OrgTx<Platform>,
    members: &[MemberId],
    projects: &[ProjectId],
    number: u32,
) -> time_entries::entity::ActiveModel {
    let turn = |things: usize| number as usize % things.max(1);
    let now = tx.now();
    let started_at = now.trunc_subsecs(0) - TimeDelta::minutes(180 + i64::from(number) * 97);
    let minutes = 5 + i64::from(number.wrapping_mul(2_654_435_761) % 176);
    time_entries::entity::ActiveModel {
        id: Set(TimeEntryId::new(now)),
        member_id: members.get(turn(members.len())).copied().map_or(sea_orm::ActiveValue::NotSet, Set),
        project_id: Set(projects.get(turn(projects.len())).copied()),
        task_id: Set(None),
        activity: Set(Some("Made-up work".to_owned())),
        notes: Set(None),
        started_at: Set(started_at),
        ended_at: Set(Some(started_at + TimeDelta::minutes(minutes))),
        billable: Set(number.is_multiple_of(3)),
        source: Set(Source::Import),
        version: Set(1),
        deleted_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

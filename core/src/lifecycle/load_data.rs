//! Generated work data, to test Insula with thousands of rows that look like those of users.

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
        time_entries::{self, EntrySource},
    },
};

/// Rows per statement. SQLite allows 32,766 values in one.
const ROWS_PER_STATEMENT: u32 = 500;

/// Rows per transaction, so that other transactions wait only briefly.
const ROWS_PER_TRANSACTION: u32 = 5_000;

/// Number of projects.
const PROJECTS: u32 = 10;

/// Adds projects to an organization, and time entries of its members in turn over the past years. Calls `done` with the
/// number of added entries after each transaction. Creates no audit events.
///
/// # Errors
/// Errors of the database. Entries added before stay.
pub async fn fill(db: &Db, org: OrgId, entries: u32, done: impl Fn(u32)) -> Result<()> {
    let projects = add_projects(db, org).await?;
    let mut from = 0;
    while from < entries {
        let until = entries.min(from + ROWS_PER_TRANSACTION);
        let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
        #[expect(clippy::disallowed_methods, reason = "the command line checks no membership")]
        let scope = tx.enter_org(org).await?;
        let members = active(&scope).await?;
        for first in (from..until).step_by(ROWS_PER_STATEMENT as usize) {
            let rows = first..until.min(first + ROWS_PER_STATEMENT);
            let rows: Vec<_> = rows.map(|number| entry(&scope, &members, &projects, number)).collect();
            scope.insert_many(rows).await?;
        }
        drop(scope);
        #[expect(clippy::disallowed_methods, reason = "generated data is no action of a user")]
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
    #[expect(clippy::disallowed_methods, reason = "the command line checks no membership")]
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
    #[expect(clippy::disallowed_methods, reason = "generated data is no action of a user")]
    tx.commit_unaudited().await?;
    Ok(ids)
}

/// The entry with a number. Each starts 97 minutes before the previous one and lasts 5 to 180 minutes.
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
        source: Set(EntrySource::Import),
        version: Set(1),
        deleted_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

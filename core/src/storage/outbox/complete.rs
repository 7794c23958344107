//! What becomes of a job that was tried.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};

use super::{Column, Entity, State};
use crate::{
    Result,
    base::{backoff::backoff, ids::JobId, permissions::Platform, text::error_line},
    runtime::job_wakeup::JobRef,
    storage::{
        db::OrgTx,
        emails::{self, DeliveryAttempt, Status},
    },
};

/// The wait after the first attempt.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// With waits that double from [`FIRST_WAIT`] up to [`LONGEST_WAIT`] this is reached after 72 hours.
const MAX_ATTEMPTS: i32 = 298;

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Done.
    Done,
    /// Not now, and why: it is tried again, after 72 hours no more.
    Retry(String),
    /// Never, and why.
    Dead(String),
    /// It was not really begun: anybody may take it at once.
    Released,
    /// It was not really begun, and shall not be before this long; and why.
    PutOff(Duration, String),
}

/// A job that was ours, and what came of it.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// Which.
    pub job_ref: JobRef,
    /// Which attempt; if somebody else has begun another since, this one decides nothing.
    pub attempt: i32,
    /// What came of it.
    pub outcome: ClaimOutcome,
    /// The mail that it tried to send, where it did.
    pub email: Option<DeliveryAttempt>,
}

impl JobResult {
    /// What is written down: who has been told often enough to come back is given up.
    pub fn verdict(&self) -> ClaimOutcome {
        match &self.outcome {
            ClaimOutcome::Retry(error) if self.attempt >= MAX_ATTEMPTS => {
                ClaimOutcome::Dead(format!("given up after 72 hours: {error}"))
            }
            outcome => outcome.clone(),
        }
    }
}

/// How long to wait after the attempt number `attempt`.
fn wait(attempt: i32) -> Duration {
    backoff(u32::try_from(attempt).unwrap_or_default(), FIRST_WAIT, LONGEST_WAIT)
}

/// Writes down what became of the jobs of one organization that `holder` had.
pub(super) async fn write(scope: &OrgTx<Platform>, holder: &str, settled: &[&JobResult]) -> Result<()> {
    // What is done is written by one statement; all of it was the same attempt but for a few.
    let mut done: BTreeMap<i32, Vec<JobId>> = BTreeMap::new();
    for settled in settled {
        let columns = match settled.verdict() {
            ClaimOutcome::Done => {
                done.entry(settled.attempt).or_default().push(settled.job_ref.job);
                continue;
            }
            ClaimOutcome::Retry(error) => vec![
                (Column::RunAt, scope.sql_after(wait(settled.attempt))),
                (Column::LastError, Expr::value(error_line(&error))),
            ],
            ClaimOutcome::Dead(error) => vec![
                (Column::State, Expr::value(State::Dead.as_str())),
                (Column::LastError, Expr::value(error_line(&error))),
            ],
            ClaimOutcome::Released => vec![(Column::Attempts, Expr::col(Column::Attempts).sub(1))],
            ClaimOutcome::PutOff(wait, why) => vec![
                (Column::Attempts, Expr::col(Column::Attempts).sub(1)),
                (Column::RunAt, scope.sql_after(wait)),
                (Column::LastError, Expr::value(error_line(&why))),
            ],
        };
        let ours = ours(holder, settled.attempt, [settled.job_ref.job]);
        scope.update_where::<Entity>(columns.into_iter().chain(freed(scope)), ours).await?;
    }
    if !done.is_empty() {
        let columns = [
            (Column::State, Expr::value(State::Done.as_str())),
            (Column::DoneAt, scope.sql_now()),
            (Column::LastError, Expr::value(None::<String>)),
        ];
        let ours = done.into_iter().map(|(attempt, jobs)| ours(holder, attempt, jobs));
        let ours = ours.fold(Condition::any(), Condition::add);
        scope.update_where::<Entity>(columns.into_iter().chain(freed(scope)), ours).await?;
    }
    note(scope, settled).await
}

fn ours(holder: &str, attempt: i32, jobs: impl IntoIterator<Item = JobId>) -> Condition {
    Condition::all()
        .add(Column::Id.is_in(jobs))
        .add(Column::LeaseBy.eq(holder))
        .add(Column::Attempts.eq(attempt))
        .add(Column::State.eq(State::Pending))
}

fn freed(scope: &OrgTx<Platform>) -> [(Column, Expr); 3] {
    [
        (Column::LeaseBy, Expr::value(None::<String>)),
        (Column::LeaseUntil, Expr::value(None::<chrono::DateTime<chrono::Utc>>)),
        (Column::UpdatedAt, scope.sql_now()),
    ]
}

/// Notes what became of the mails.
async fn note(scope: &OrgTx<Platform>, settled: &[&JobResult]) -> Result<()> {
    let now = scope.now();
    let row = |settled: &&JobResult| {
        let email = settled.email.clone()?;
        let status = match (email.status, settled.verdict()) {
            (Status::Deferred, ClaimOutcome::Dead(_)) => Status::Dead,
            (status, _) => status,
        };
        Some(emails::ActiveModel {
            id: Set(settled.job_ref.job),
            to: Set(email.to),
            template: Set(email.template.to_owned()),
            status: Set(status),
            message_id: Set(email.message_id),
            attempts: Set(settled.attempt - i32::from(matches!(settled.outcome, ClaimOutcome::PutOff(..)))),
            last_error: Set(email.error.as_deref().map(error_line)),
            sent_at: Set((status == Status::Sent).then_some(now)),
            trace_id: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
    };
    let rows: Vec<_> = settled.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    use emails::Column::{Attempts, LastError, SentAt, Status as MailStatus, To, UpdatedAt};
    scope.upsert(rows, &[To, MailStatus, Attempts, LastError, SentAt, UpdatedAt]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour_and_are_never_the_same() {
        for (attempt, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (10, 512.0), (11, 900.0), (296, 900.0)] {
            let waits: Vec<_> = (0..50).map(|_| wait(attempt).as_secs_f64()).collect();
            assert!(waits.iter().all(|wait| (0.8 * seconds..=1.2 * seconds).contains(wait)), "{attempt}");
            assert!(waits.iter().any(|wait| (wait - waits[0]).abs() > f64::EPSILON), "{attempt}");
        }
    }

    #[test]
    fn who_is_told_to_come_back_for_72_hours_is_given_up() {
        let total: u64 =
            (1..MAX_ATTEMPTS).map(|attempt| (1_u64 << (attempt - 1).clamp(0, 20)).clamp(1, 900)).sum();
        let hours = Duration::from_secs(72 * 60 * 60).as_secs();
        assert!((hours..hours + 900).contains(&total), "{total}");
        let job_ref = JobRef { org: crate::base::ids::OrgId::PLATFORM, job: JobId(uuid::Uuid::nil()) };
        let settled = |attempt, outcome| JobResult { job_ref, attempt, outcome, email: None };
        let busy = || ClaimOutcome::Retry("busy".to_owned());
        assert_eq!(settled(MAX_ATTEMPTS - 1, busy()).verdict(), busy());
        assert_eq!(
            settled(MAX_ATTEMPTS, busy()).verdict(),
            ClaimOutcome::Dead("given up after 72 hours: busy".to_owned())
        );
        assert_eq!(settled(MAX_ATTEMPTS, ClaimOutcome::Done).verdict(), ClaimOutcome::Done);
    }
}

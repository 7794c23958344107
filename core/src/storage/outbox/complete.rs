//! Records the results of job attempts.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};

use super::{Column, Entity, OutboxState};
use crate::{
    Result,
    base::{
        backoff::backoff, ids::JobId, permissions::Platform, text::error_line, trace_context::TraceContext,
    },
    runtime::job_wakeup::JobRef,
    storage::{
        db::OrgTx,
        emails::{self, DeliveryAttempt, DeliveryStatus},
    },
};

/// The wait after the first attempt.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Maximum wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// With waits that double from [`FIRST_WAIT`] up to [`LONGEST_WAIT`], this is reached after 72 hours.
const MAX_ATTEMPTS: i32 = 298;

/// The outcome of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The job is done.
    Done,
    /// The attempt failed for this reason. The job is retried for 72 hours.
    Retry(String),
    /// The job failed permanently, for this reason.
    Dead(String),
    /// The attempt did not begin. Any worker can claim the job at once.
    Released,
    /// The attempt did not begin, and must wait this long, for this reason.
    Deferred(Duration, String),
}

/// The result of a claimed job.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// Id and organization of the job.
    pub job_ref: JobRef,
    /// Number of the attempt. If another attempt began since, this result is ignored.
    pub attempt: i32,
    /// Outcome of the attempt.
    pub outcome: ClaimOutcome,
    /// The e-mail that the job tried to send; `None` if it did not.
    pub email: Option<DeliveryAttempt>,
    /// The trace of the attempt.
    pub trace: TraceContext,
}

impl JobResult {
    /// The outcome to record. A job that was retried for 72 hours is dead.
    pub fn final_outcome(&self) -> ClaimOutcome {
        match &self.outcome {
            ClaimOutcome::Retry(error) if self.attempt >= MAX_ATTEMPTS => {
                ClaimOutcome::Dead(format!("given up after 72 hours: {error}"))
            }
            outcome => outcome.clone(),
        }
    }
}

/// How long to wait after attempt number `attempt`.
fn retry_delay(attempt: i32) -> Duration {
    backoff(u32::try_from(attempt).unwrap_or_default(), FIRST_WAIT, LONGEST_WAIT)
}

/// Records the results of jobs of one organization that `worker_id` claimed.
pub(super) async fn write(scope: &OrgTx<Platform>, worker_id: &str, results: &[&JobResult]) -> Result<()> {
    // Done jobs are recorded with one statement for each number of attempts, which is the same for most of them.
    let mut done: BTreeMap<i32, Vec<JobId>> = BTreeMap::new();
    for result in results {
        let columns = match result.final_outcome() {
            ClaimOutcome::Done => {
                done.entry(result.attempt).or_default().push(result.job_ref.job);
                continue;
            }
            ClaimOutcome::Retry(error) => vec![
                (Column::RunAt, scope.sql_after(retry_delay(result.attempt))),
                (Column::LastError, Expr::value(error_line(&error))),
            ],
            ClaimOutcome::Dead(error) => vec![
                (Column::State, Expr::value(OutboxState::Dead.as_str())),
                (Column::LastError, Expr::value(error_line(&error))),
            ],
            ClaimOutcome::Released => vec![(Column::Attempts, Expr::col(Column::Attempts).sub(1))],
            ClaimOutcome::Deferred(wait, why) => vec![
                (Column::Attempts, Expr::col(Column::Attempts).sub(1)),
                (Column::RunAt, scope.sql_after(wait)),
                (Column::LastError, Expr::value(error_line(&why))),
            ],
        };
        let claimed = claimed_by(worker_id, result.attempt, [result.job_ref.job]);
        scope.update_where::<Entity>(columns.into_iter().chain(without_lease(scope)), claimed).await?;
    }
    if !done.is_empty() {
        let columns = [
            (Column::State, Expr::value(OutboxState::Done.as_str())),
            (Column::DoneAt, scope.sql_now()),
            (Column::LastError, Expr::value(None::<String>)),
        ];
        let claimed = done.into_iter().map(|(attempt, jobs)| claimed_by(worker_id, attempt, jobs));
        let claimed = claimed.fold(Condition::any(), Condition::add);
        scope.update_where::<Entity>(columns.into_iter().chain(without_lease(scope)), claimed).await?;
    }
    record_emails(scope, results).await
}

fn claimed_by(worker_id: &str, attempt: i32, jobs: impl IntoIterator<Item = JobId>) -> Condition {
    Condition::all()
        .add(Column::Id.is_in(jobs))
        .add(Column::LeaseBy.eq(worker_id))
        .add(Column::Attempts.eq(attempt))
        .add(Column::State.eq(OutboxState::Pending))
}

fn without_lease(scope: &OrgTx<Platform>) -> [(Column, Expr); 3] {
    [
        (Column::LeaseBy, Expr::value(None::<String>)),
        (Column::LeaseUntil, Expr::value(None::<chrono::DateTime<chrono::Utc>>)),
        (Column::UpdatedAt, scope.sql_now()),
    ]
}

/// Records the delivery attempts of e-mails.
async fn record_emails(scope: &OrgTx<Platform>, results: &[&JobResult]) -> Result<()> {
    let now = scope.now();
    let row = |result: &&JobResult| {
        let email = result.email.clone()?;
        let status = match (email.status, result.final_outcome()) {
            (DeliveryStatus::Deferred, ClaimOutcome::Dead(_)) => DeliveryStatus::Dead,
            (status, _) => status,
        };
        Some(emails::ActiveModel {
            id: Set(result.job_ref.job),
            to: Set(email.to),
            template: Set(email.template.to_owned()),
            status: Set(status),
            message_id: Set(email.message_id),
            attempts: Set(result.attempt - i32::from(matches!(result.outcome, ClaimOutcome::Deferred(..)))),
            last_error: Set(email.error.as_deref().map(error_line)),
            sent_at: Set((status == DeliveryStatus::Sent).then_some(now)),
            trace_id: Set(Some(result.trace.trace_id().to_string())),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
    };
    let rows: Vec<_> = results.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    use emails::Column::{Attempts, LastError, SentAt, Status as MailStatus, To, TraceId, UpdatedAt};
    scope.upsert(rows, &[To, MailStatus, Attempts, LastError, SentAt, TraceId, UpdatedAt]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_15_minutes_with_jitter() {
        for (attempt, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (10, 512.0), (11, 900.0), (296, 900.0)] {
            let waits: Vec<_> = (0..50).map(|_| retry_delay(attempt).as_secs_f64()).collect();
            assert!(waits.iter().all(|wait| (0.8 * seconds..=1.2 * seconds).contains(wait)), "{attempt}");
            assert!(waits.iter().any(|wait| (wait - waits[0]).abs() > f64::EPSILON), "{attempt}");
        }
    }

    #[test]
    fn a_job_that_was_retried_for_72_hours_is_dead() {
        let total: u64 =
            (1..MAX_ATTEMPTS).map(|attempt| (1_u64 << (attempt - 1).clamp(0, 20)).clamp(1, 900)).sum();
        let hours = Duration::from_secs(72 * 60 * 60).as_secs();
        assert!((hours..hours + 900).contains(&total), "{total}");
        let job_ref = JobRef { org: crate::base::ids::OrgId::PLATFORM, job: JobId(uuid::Uuid::nil()) };
        let result = |attempt, outcome| JobResult {
            job_ref,
            attempt,
            outcome,
            email: None,
            trace: TraceContext::random(),
        };
        let busy = || ClaimOutcome::Retry("busy".to_owned());
        assert_eq!(result(MAX_ATTEMPTS - 1, busy()).final_outcome(), busy());
        assert_eq!(
            result(MAX_ATTEMPTS, busy()).final_outcome(),
            ClaimOutcome::Dead("given up after 72 hours: busy".to_owned())
        );
        assert_eq!(result(MAX_ATTEMPTS, ClaimOutcome::Done).final_outcome(), ClaimOutcome::Done);
    }
}

//! Periodic work: what runs when. Each tick is done once, by whichever process claims it first.
//!
//! A run that fails is tried again at its next tick, and says why in `schedules.last_error`. None waits for another.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use croner::Cron;
use insula_core::{
    Result,
    lifecycle::{
        accounts,
        maintenance::{self, Retention},
        organization_lifecycle,
    },
    runtime::telemetry::metrics,
    storage::{
        audit_chain::Signer,
        db::Db,
        schedules::{self, Schedule},
    },
    tenancy::invitations,
};
use tokio::{sync::Mutex, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What periodic tasks need beside the database.
pub(crate) struct TaskContext {
    /// How long finished rows are kept.
    pub(crate) retention: Retention,
    /// Signs audit logs.
    pub(crate) signer: Signer,
}

/// Handles one batch and returns the number of changed rows; 0 when nothing is left.
type Batch = for<'a> fn(&'a Db, &'a TaskContext) -> Pin<Box<dyn Future<Output = Result<u64>> + Send + 'a>>;

/// Name, time (cron, UTC) and task. A name is in the database and on dashboards: it is never changed.
const TABLE: &[(&str, &str, Batch)] = &[
    ("expire-sessions", "* * * * *", |db, _| Box::pin(maintenance::expire_sessions(db))),
    ("expire-tokens", "* * * * *", |db, _| Box::pin(maintenance::expire_tokens(db))),
    ("expire-idempotency-keys", "* * * * *", |db, _| Box::pin(maintenance::expire_idempotency_keys(db))),
    ("expire-invitations", "* * * * *", |db, _| Box::pin(invitations::expire_overdue(db))),
    ("purge-accounts", "*/5 * * * *", |db, _| Box::pin(accounts::purge(db))),
    ("purge-organizations", "*/5 * * * *", |db, _| Box::pin(organization_lifecycle::purge(db))),
    ("expire-slugs", "27 * * * *", |db, _| Box::pin(maintenance::expire_slugs(db))),
    ("purge-jobs", "7 * * * *", |db, context| Box::pin(maintenance::purge_jobs(db, context.retention.jobs))),
    ("purge-emails", "17 * * * *", |db, context| {
        Box::pin(maintenance::purge_emails(db, context.retention.emails))
    }),
    ("prune-audit-logs", "37 * * * *", |db, context| {
        Box::pin(maintenance::prune_audit_logs(db, &context.signer))
    }),
];

/// How often to check which tasks are due, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long to wait after the database did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// How long a batch may run after the stop. Then it is cancelled, which rolls its transaction back.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// One row of the table, parsed.
struct PeriodicTask {
    name: &'static str,
    cron: Cron,
    batch: Batch,
    /// Held during a run: the next run of this process waits for the end of a slow one.
    turn: Arc<Mutex<()>>,
}

/// What every run needs.
struct Scheduler {
    db: Db,
    context: TaskContext,
    stop: CancellationToken,
}

/// Runs due tasks until `stop`, then ends between two batches.
pub(crate) async fn run(db: &Db, context: TaskContext, stop: &CancellationToken) {
    let scheduler = Arc::new(Scheduler { db: db.clone(), context, stop: stop.clone() });
    let (planned, tasks) = (planned(), TaskTracker::new());
    loop {
        let pause = match schedules::list(db).await {
            Ok(known) => {
                let now = db.now();
                for planned in &planned {
                    if !planned.is_due(&known, now) {
                        continue;
                    }
                    if let Ok(turn) = Arc::clone(&planned.turn).try_lock_owned() {
                        let run = Arc::clone(&scheduler).run(Arc::clone(planned), tasks.clone());
                        tasks.spawn(async move {
                            run.await;
                            drop(turn);
                        });
                    }
                }
                until_next(&known, now)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot check which scheduled tasks are due");
                RETRY_DELAY
            }
        };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            break;
        }
    }
    tasks.close();
    tasks.wait().await;
}

fn planned() -> Vec<Arc<PeriodicTask>> {
    let ready = |&(name, cron, batch): &(&'static str, &str, Batch)| match cron.parse() {
        Ok(cron) => Some(Arc::new(PeriodicTask { name, cron, batch, turn: Arc::default() })),
        // A test parses them all.
        Err(error) => {
            tracing::error!(%error, name, cron, "invalid cron expression: this task never runs");
            None
        }
    };
    TABLE.iter().filter_map(ready).collect()
}

/// The time until the next tick of any task, at most [`LOOK_EVERY`].
fn until_next(known: &[Schedule], now: DateTime<Utc>) -> Duration {
    let ahead = known.iter().filter_map(|known| (known.next_run - now).to_std().ok());
    ahead.filter(|wait| !wait.is_zero()).min().unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
}

impl PeriodicTask {
    /// Whether its time has come, or it has never run.
    fn is_due(&self, known: &[Schedule], now: DateTime<Utc>) -> bool {
        known.iter().find(|known| known.name == self.name).is_none_or(|known| known.next_run <= now)
    }

    /// The first tick after `now`.
    fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&now, false).ok()
    }
}

impl Scheduler {
    /// Runs the task if this process can claim the tick.
    async fn run(self: Arc<Self>, planned: Arc<PeriodicTask>, tasks: TaskTracker) {
        let name = planned.name;
        let Some(next) = planned.next(self.db.now()) else {
            tracing::error!(name, "the schedule of this task has no next run");
            return;
        };
        match schedules::claim(&self.db, name, next).await {
            Ok(true) => {}
            // Another process runs it.
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, name, "cannot claim a scheduled task"),
        }
        let started = Instant::now();
        let work = tasks.spawn(Arc::clone(&self).batches(planned.batch));
        let (rows, outcome) = work.await.unwrap_or_else(|_| (0, Err("panicked; see the log".into())));
        metrics::schedule_finished(name, outcome.is_ok(), rows, started.elapsed().as_secs_f64());
        match &outcome {
            Ok(()) if rows == 0 => tracing::debug!(name, "scheduled task had nothing to do"),
            Ok(()) => tracing::info!(name, rows, "scheduled task finished"),
            Err(error) => {
                tracing::warn!(
                    error,
                    name,
                    rows,
                    "scheduled task failed: it runs again at its next scheduled time"
                );
            }
        }
        let written = schedules::finished(&self.db, name, outcome.as_ref().map(drop).map_err(String::as_str));
        if let Err(error) = written.await {
            tracing::warn!(%error, name, "cannot store the result of a scheduled task");
        }
    }

    /// Runs batches until nothing is left. Returns the number of rows, and the error that ended it early.
    async fn batches(self: Arc<Self>, batch: Batch) -> (u64, Result<(), String>) {
        let mut rows = 0;
        while !self.stop.is_cancelled() {
            let given_up = async {
                self.stop.cancelled().await;
                sleep(STOP_TIMEOUT).await;
            };
            let outcome = tokio::select! {
                outcome = batch(&self.db, &self.context) => outcome,
                () = given_up => return (rows, Err("the process was stopped".into())),
            };
            match outcome {
                Ok(0) => break,
                Ok(more) => rows += more,
                Err(error) => return (rows, Err(error.to_string())),
            }
        }
        (rows, Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_of_the_table_has_a_name_of_its_own_and_a_next_time() {
        let (planned, noon) = (planned(), "2026-11-24T12:00:00Z".parse().unwrap());
        assert_eq!(planned.len(), TABLE.len());
        assert_eq!(planned.iter().map(|planned| planned.name).collect::<HashSet<_>>().len(), TABLE.len());
        for planned in planned {
            let next = planned.next(noon).unwrap();
            // Strictly later: a tick is done once.
            assert!(next > noon, "{}", planned.name);
            assert_eq!(
                planned.next(next - chrono::TimeDelta::microseconds(1)),
                Some(next),
                "{}",
                planned.name
            );
        }
    }

    #[test]
    fn it_is_looked_each_second_or_at_the_next_tick() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let at = |ms| {
            let next_run = now + chrono::TimeDelta::milliseconds(ms);
            Schedule {
                id: insula_core::base::ids::ScheduleId::new(now),
                name: "any".to_owned(),
                next_run,
                last_run: None,
                last_error: None,
                created_at: now,
                updated_at: now,
            }
        };
        assert_eq!(until_next(&[], now), LOOK_EVERY);
        assert_eq!(until_next(&[at(60_000), at(-5)], now), LOOK_EVERY, "what is overdue is being done");
        assert_eq!(until_next(&[at(60_000), at(250), at(900)], now), Duration::from_millis(250));
    }
}

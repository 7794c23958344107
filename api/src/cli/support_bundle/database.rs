//! What the database says of itself: its schema, the queues and the periodic work.

use std::time::Duration;

use insula_core::{
    runtime::{cluster::Cluster, config::Config, job_wakeup::JobWakeup},
    storage::{
        db::Db,
        outbox::{self, QueueStats},
        schedules::{self, Schedule},
    },
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::archive::BundleFile;
use crate::cli::{database, doctor};

/// Maximum duration of all queries.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn collect(config: &Config) -> Vec<BundleFile> {
    let collected = timeout(TIMEOUT, collect_all(config)).await;
    collected.unwrap_or_else(|_| vec![unavailable("it does not respond in time")])
}

fn unavailable(reason: &str) -> BundleFile {
    BundleFile::new("database.txt", format!("the database is not available: {reason}\n"))
}

async fn collect_all(config: &Config) -> Vec<BundleFile> {
    if let Some(reason) = doctor::missing_file(config) {
        return vec![unavailable(&reason)];
    }
    let db = match database::connect(config, Cluster::default(), JobWakeup::default()).await {
        Ok(db) => db,
        Err(error) => return vec![unavailable(&error.to_string())],
    };
    let files = vec![
        BundleFile::new("migrations.txt", migrations(config).await),
        BundleFile::new("queues.json", format!("{:#}\n", queues(&db).await)),
        BundleFile::new("schedules.json", format!("{:#}\n", schedules(&db).await)),
    ];
    db.close().await;
    files
}

async fn migrations(config: &Config) -> String {
    match insula_migrations::status(&config.migration_url()).await {
        Ok(migrations) => {
            let line = |(name, is_applied): (String, bool)| {
                format!("{} {name}\n", if is_applied { "applied" } else { "pending" })
            };
            migrations.into_iter().map(line).collect()
        }
        Err(error) => format!("{error}\n"),
    }
}

async fn queues(db: &Db) -> Value {
    let queue = |queue: QueueStats| {
        json!({
            "name": queue.name,
            "paused_at": queue.paused_at,
            "pending": queue.pending,
            "done": queue.done,
            "dead": queue.dead,
            "cancelled": queue.cancelled,
            "oldest_pending_at": queue.oldest_pending_at,
        })
    };
    match outbox::queues(db).await {
        Ok(queues) => queues.into_iter().map(queue).collect(),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

async fn schedules(db: &Db) -> Value {
    let schedule = |schedule: Schedule| {
        json!({
            "name": schedule.name,
            "next_run": schedule.next_run,
            "last_run": schedule.last_run,
            "last_error": schedule.last_error,
        })
    };
    match schedules::list(db).await {
        Ok(schedules) => schedules.into_iter().map(schedule).collect(),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

//! The connections to the database, and the statements that are prepared on each.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::{Client, NoTls, Statement};

use crate::{Failure, statements};

/// Connections for reads. Several requests share one, pipelined.
const READERS: usize = 8;

/// Connections for writes, which wait for the disk.
const WRITERS: usize = 32;

/// The connections.
pub(crate) struct Database {
    readers: Vec<DatabaseConnection>,
    writers: Vec<DatabaseConnection>,
    next: AtomicUsize,
}

/// A connection with its prepared statements.
pub(crate) struct DatabaseConnection {
    pub(crate) client: Client,
    pub(crate) user: Statement,
    pub(crate) projects: [Statement; 2],
    pub(crate) tasks: Statement,
    pub(crate) entries: [Statement; 2],
    pub(crate) new_project: Statement,
    pub(crate) new_task: Statement,
    pub(crate) new_task_in_project: Statement,
    pub(crate) new_entry: Statement,
}

impl Database {
    pub(crate) async fn connect(url: &str) -> Result<Self, Failure> {
        let setup = connect(url).await?;
        setup.batch_execute(statements::SEQUENCE).await?;
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..READERS {
            readers.push(DatabaseConnection::open(url).await?);
        }
        for _ in 0..WRITERS {
            writers.push(DatabaseConnection::open(url).await?);
        }
        Ok(Self { readers, writers, next: AtomicUsize::new(0) })
    }

    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.readers[self.next.fetch_add(1, Ordering::Relaxed) % READERS]
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.writers[self.next.fetch_add(1, Ordering::Relaxed) % WRITERS]
    }
}

impl DatabaseConnection {
    async fn open(url: &str) -> Result<Self, Failure> {
        let client = connect(url).await?;
        client.batch_execute("SET plan_cache_mode = force_generic_plan").await?;
        let prepare = async |sql: &str| client.prepare(sql).await;
        Ok(Self {
            user: prepare(statements::USER).await?,
            projects: [prepare(statements::PROJECTS).await?, prepare(statements::PROJECTS_AFTER).await?],
            tasks: prepare(statements::TASKS).await?,
            entries: [prepare(statements::ENTRIES).await?, prepare(statements::ENTRIES_AFTER).await?],
            new_project: prepare(&statements::with_event(statements::NEW_PROJECT)).await?,
            new_task: prepare(&statements::with_event(statements::NEW_TASK)).await?,
            new_task_in_project: prepare(&statements::with_event(statements::NEW_TASK_IN_PROJECT)).await?,
            new_entry: prepare(&statements::with_event(statements::NEW_ENTRY)).await?,
            client,
        })
    }
}

async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Its failure is the failure of the next statement.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

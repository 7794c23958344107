//! Transactions whose future is dropped, or whose database fails, at any of their steps.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use sea_orm::ConnectionTrait;
use sqlx::{AssertSqlSafe, Executor};
use tokio::time::{Instant, sleep};

use crate::{
    base::{
        error::ErrorCode,
        permissions::{AuditOrigin, ProjectsRead},
    },
    storage::db::{
        DatabaseTrouble, pools::Pools, roles::QuotedRoles, test_db::TestDb, transaction::DatabaseRole,
    },
    work::projects,
};

/// Polls `work` at most `polls` times, and drops it right after the last poll, while its statement is being sent.
async fn drop_after<F: Future>(work: F, polls: usize) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut remaining = polls;
    poll_fn(|context| {
        remaining -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if remaining == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn number(test_db: &TestDb, sql: &'static str) -> i64 {
    let number = match &test_db.db.pools {
        Pools::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await,
        Pools::Sqlite { read, .. } => sqlx::query_scalar(sql).fetch_one(read).await,
    };
    number.unwrap()
}

/// The number of users. Each of them must have a membership.
async fn check_consistency(test_db: &TestDb) -> i64 {
    let users = number(test_db, "SELECT count(*) FROM users").await;
    assert_eq!(users, number(test_db, "SELECT count(*) FROM members").await);
    users
}

/// On PostgreSQL: waits at most a second until no connection of this database is in a transaction.
async fn wait_until_idle(test_db: &TestDb, after: usize) {
    let Pools::Postgres { pool, .. } = &test_db.db.pools else { return };
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'";
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let count: i64 = sqlx::query_scalar(open).fetch_one(pool).await.unwrap();
        if count == 0 {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{count} connections in a transaction, dropped after {after} polls"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

/// Number of repetitions. The number of polls of a transaction varies, because an answer that is already there needs no
/// poll.
const ROUNDS: usize = 60;

#[tokio::test]
async fn a_write_that_is_dropped_after_any_poll_is_complete_or_absent() {
    let test_db = TestDb::new().await;
    let mut dropped = 0;
    for round in 0..ROUNDS {
        let polls = 1 + round % 20;
        let done = drop_after(test_db.try_tenant(&format!("t{round}")), polls).await;
        dropped += usize::from(done.is_none());
        wait_until_idle(&test_db, polls).await;
        // Neither a lock nor a transaction blocks the next one.
        let slug = format!("after{round}");
        tokio::time::timeout(Duration::from_secs(2), test_db.try_tenant(&slug)).await.unwrap().unwrap();
    }
    assert!(dropped > 0);
    assert!(check_consistency(&test_db).await >= i64::try_from(2 * ROUNDS - dropped).unwrap());
}

#[tokio::test]
async fn a_read_that_is_dropped_after_any_poll_leaves_no_transaction() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let mut dropped = 0;
    for round in 0..ROUNDS {
        let polls = 1 + round % 4;
        let read = async {
            let tx = test_db.begin::<ProjectsRead>(acme).await;
            tx.find::<projects::entity::Entity>().count().await.unwrap()
        };
        dropped += usize::from(drop_after(read, polls).await.is_none());
        wait_until_idle(&test_db, polls).await;
    }
    assert!(dropped > 0);
}

#[tokio::test]
async fn a_partly_failed_begin_leaves_no_transaction() {
    let test_db = TestDb::new().await;
    let Pools::Postgres { pool, timeouts, health } = &test_db.db.pools else { return };
    for _ in 0..20 {
        let message = "BEGIN; SET LOCAL ROLE nobody_of_this_name";
        let begun = super::DatabaseSession::begin(pool, health, Some(*timeouts), message, true).await;
        assert!(begun.is_err());
    }
    wait_until_idle(&test_db, 0).await;
    test_db.tenant("acme").await;
}

#[tokio::test]
async fn dead_pooled_connections_are_replaced_without_an_error() {
    let test_db = TestDb::new().await;
    let Pools::Postgres { pool, .. } = &test_db.db.pools else { return };
    let acme = test_db.tenant("acme").await;
    for _ in 0..3 {
        // As many connections as the pool holds, at the same time.
        let held = futures_util::future::join_all((0..16).map(|_| test_db.begin::<ProjectsRead>(acme))).await;
        drop(held);
        wait_until_idle(&test_db, 0).await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        pool.execute(end).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        let work = (0..32).map(async |_| drop(test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap()));
        futures_util::future::join_all(work).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_and_recovered_from() {
    let test_db = TestDb::new().await;
    let Pools::Sqlite { write, .. } = &test_db.db.pools else { return };
    let pages = |most: i64| AssertSqlSafe(format!("PRAGMA max_page_count = {most}"));
    test_db.tenant("before").await;
    let now = number(&test_db, "PRAGMA page_count").await;
    write.execute(pages(now)).await.unwrap();
    let mut n = 0;
    let mut refusals = 0;
    while refusals < 5 {
        n += 1;
        match test_db.try_tenant(&format!("t{n}")).await {
            Ok(_) => assert!(n < 500),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::StorageUnavailable, "{error:?}");
                refusals += 1;
            }
        }
    }
    assert_eq!(test_db.db.trouble().await, Some(DatabaseTrouble::Full));
    check_consistency(&test_db).await;
    // A statement after the failure would be committed separately.
    let now = number(&test_db, "PRAGMA page_count").await;
    write.execute(pages(now + 100)).await.unwrap();
    let transaction =
        test_db.db.pools.begin(DatabaseRole::System, &QuotedRoles::default(), true).await.unwrap();
    transaction.execute_unprepared("CREATE TABLE filler (data)").await.unwrap();
    while transaction.execute_unprepared("INSERT INTO filler VALUES (zeroblob(100000))").await.is_ok() {}
    assert!(transaction.execute_unprepared("CREATE TABLE outside (data)").await.is_err());
    drop(transaction);
    assert_eq!(number(&test_db, "SELECT count(*) FROM sqlite_schema WHERE name = 'outside'").await, 0);

    write.execute(pages(1_000_000)).await.unwrap();
    test_db.tenant("after").await;
    assert_eq!(test_db.db.trouble().await, None);
}

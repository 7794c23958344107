//! What is left of a transaction whose future is dropped, or whose database fails, at any of its steps.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use sea_orm::ConnectionTrait;
use sqlx::{AssertSqlSafe, Executor};
use tokio::time::{Instant, sleep};

use crate::{
    base::{
        error::ErrorCode,
        permissions::{AuditOrigin, ProjectsRead},
    },
    storage::db::{DatabaseTrouble, pools::Pools, roles::Roles, test_db::TestDb, transaction::DatabaseRole},
    work::projects,
};

/// Polls `work` so many times at most, and drops it right after the last of them, while its statement is on its way.
async fn cut_off<F: Future>(work: F, polls: usize) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn number(sandbox: &TestDb, sql: &'static str) -> i64 {
    let number = match &sandbox.db.pools {
        Pools::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await,
        Pools::Sqlite { read, .. } => sqlx::query_scalar(sql).fetch_one(read).await,
    };
    number.unwrap()
}

/// How many people there are, each of whom has to be an owner.
async fn is_whole(sandbox: &TestDb) -> i64 {
    let people = number(sandbox, "SELECT count(*) FROM users").await;
    assert_eq!(people, number(sandbox, "SELECT count(*) FROM members").await);
    people
}

/// On PostgreSQL: waits, at most a second, until no connection of this database is in a transaction.
async fn becomes_quiet(sandbox: &TestDb, after: usize) {
    let Pools::Postgres { pool, .. } = &sandbox.db.pools else { return };
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
            "{count} connections in a transaction, cut off after {after} polls"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

/// How often each is tried: an answer that is there before it is waited for costs no poll, so the polls of a transaction differ.
const ROUNDS: usize = 60;

#[tokio::test]
async fn a_write_that_is_dropped_after_any_poll_is_made_in_full_or_not_at_all() {
    let sandbox = TestDb::new().await;
    let mut cut = 0;
    for round in 0..ROUNDS {
        let polls = 1 + round % 20;
        let done = cut_off(sandbox.try_tenant(&format!("t{round}")), polls).await;
        cut += usize::from(done.is_none());
        becomes_quiet(&sandbox, polls).await;
        // Neither a lock nor a transaction is in the way of the next.
        let slug = format!("after{round}");
        tokio::time::timeout(Duration::from_secs(2), sandbox.try_tenant(&slug)).await.unwrap().unwrap();
    }
    assert!(cut > 0);
    assert!(is_whole(&sandbox).await >= i64::try_from(2 * ROUNDS - cut).unwrap());
}

#[tokio::test]
async fn a_read_that_is_dropped_after_any_poll_leaves_no_transaction() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let mut cut = 0;
    for round in 0..ROUNDS {
        let polls = 1 + round % 4;
        let read = async {
            let tx = sandbox.begin::<ProjectsRead>(acme).await;
            tx.find::<projects::entity::Entity>().count().await.unwrap()
        };
        cut += usize::from(cut_off(read, polls).await.is_none());
        becomes_quiet(&sandbox, polls).await;
    }
    assert!(cut > 0);
}

#[tokio::test]
async fn a_begin_that_fails_half_way_leaves_no_transaction() {
    let sandbox = TestDb::new().await;
    let Pools::Postgres { pool, patience, health } = &sandbox.db.pools else { return };
    for _ in 0..20 {
        let message = "BEGIN; SET LOCAL ROLE nobody_of_this_name";
        let begun = super::Session::begin(pool, health, Some(*patience), message, true).await;
        assert!(begun.is_err());
    }
    becomes_quiet(&sandbox, 0).await;
    sandbox.tenant("acme").await;
}

#[tokio::test]
async fn connections_that_ended_in_the_pool_are_replaced_without_a_failure() {
    let sandbox = TestDb::new().await;
    let Pools::Postgres { pool, .. } = &sandbox.db.pools else { return };
    let acme = sandbox.tenant("acme").await;
    for _ in 0..3 {
        // As many as the pool holds, at the same time.
        let held = futures_util::future::join_all((0..16).map(|_| sandbox.begin::<ProjectsRead>(acme))).await;
        drop(held);
        becomes_quiet(&sandbox, 0).await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        pool.execute(end).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        let work = (0..32).map(async |_| drop(sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap()));
        futures_util::future::join_all(work).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let sandbox = TestDb::new().await;
    let Pools::Sqlite { write, .. } = &sandbox.db.pools else { return };
    let pages = |most: i64| AssertSqlSafe(format!("PRAGMA max_page_count = {most}"));
    sandbox.tenant("before").await;
    let now = number(&sandbox, "PRAGMA page_count").await;
    write.execute(pages(now)).await.unwrap();
    let mut n = 0;
    let mut refusals = 0;
    while refusals < 5 {
        n += 1;
        match sandbox.try_tenant(&format!("t{n}")).await {
            Ok(_) => assert!(n < 500),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::StorageUnavailable, "{error:?}");
                refusals += 1;
            }
        }
    }
    assert_eq!(sandbox.db.trouble().await, Some(DatabaseTrouble::Full));
    is_whole(&sandbox).await;
    // What runs after the failure would be committed on its own.
    let now = number(&sandbox, "PRAGMA page_count").await;
    write.execute(pages(now + 100)).await.unwrap();
    let transaction = sandbox.db.pools.begin(DatabaseRole::System, &Roles::default(), true).await.unwrap();
    transaction.execute_unprepared("CREATE TABLE filler (data)").await.unwrap();
    while transaction.execute_unprepared("INSERT INTO filler VALUES (zeroblob(100000))").await.is_ok() {}
    assert!(transaction.execute_unprepared("CREATE TABLE outside (data)").await.is_err());
    drop(transaction);
    assert_eq!(number(&sandbox, "SELECT count(*) FROM sqlite_schema WHERE name = 'outside'").await, 0);

    write.execute(pages(1_000_000)).await.unwrap();
    sandbox.tenant("after").await;
    assert_eq!(sandbox.db.trouble().await, None);
}

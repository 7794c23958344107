//! Claims and results of periodic tasks.

use chrono::TimeDelta;

use super::*;
use crate::{base::clock::Clock, storage::db::test_db::TestDb};

async fn only_schedule(db: &Db) -> Schedule {
    let mut all = list(db).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn only_one_of_many_processes_claims_a_run() {
    let test_db = TestDb::new().await;
    let start = Clock::System.now();
    assert_eq!(list(&test_db.db).await.unwrap(), []);
    // The first claim, then one at the next tick, then one before it.
    for (round, expected) in [(0, 1), (60, 1), (59, 0), (120, 1)] {
        let now = start + TimeDelta::seconds(round);
        let all = (0..8).map(|_| {
            let db = test_db.at(Clock::Fixed(now));
            async move { claim(&db.db, "sweep", now + TimeDelta::seconds(60)).await.unwrap() }
        });
        let claims = futures_util::future::join_all(all).await;
        assert_eq!(claims.iter().filter(|is_claimed| **is_claimed).count(), expected, "at {round}");
    }
    let row = only_schedule(&test_db.db).await;
    assert_eq!(row.last_run, Some(start + TimeDelta::seconds(120)));
    assert_eq!(row.next_run, start + TimeDelta::seconds(180));
    assert!(claim(&test_db.db, "other", start).await.unwrap(), "each name has its own schedule");
}

#[tokio::test]
async fn the_result_of_a_run_is_stored_until_the_next_one() {
    let test_db = TestDb::new().await;
    let db = &test_db.db;
    claim(db, "sweep", db.now() + TimeDelta::days(1)).await.unwrap();
    let long = "ä\n".repeat(600);
    finished(db, "sweep", Err(&long)).await.unwrap();
    let error = only_schedule(db).await.last_error.unwrap();
    assert_eq!(error.chars().count(), 500);
    assert!(error.starts_with("ä ä") && !error.contains('\n'));
    finished(db, "sweep", Ok(())).await.unwrap();
    assert_eq!(only_schedule(db).await.last_error, None);
}

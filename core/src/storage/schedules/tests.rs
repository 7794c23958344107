//! Who may run, and what is kept of it.

use chrono::TimeDelta;

use super::*;
use crate::{base::clock::Clock, storage::db::test_db::TestDb};

async fn one(db: &Db) -> Schedule {
    let mut all = list(db).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn of_many_that_claim_one_tick_one_gets_it() {
    let sandbox = TestDb::new().await;
    let start = Clock::System.now();
    assert_eq!(list(&sandbox.db).await.unwrap(), []);
    // Never asked for before, then at the next tick, then before it.
    for (round, expected) in [(0, 1), (60, 1), (59, 0), (120, 1)] {
        let now = start + TimeDelta::seconds(round);
        let all = (0..8).map(|_| {
            let db = sandbox.at(Clock::Fixed(now));
            async move { claim(&db.db, "sweep", now + TimeDelta::seconds(60)).await.unwrap() }
        });
        let mine = futures_util::future::join_all(all).await;
        assert_eq!(mine.iter().filter(|mine| **mine).count(), expected, "at {round}");
    }
    let row = one(&sandbox.db).await;
    assert_eq!(row.last_run, Some(start + TimeDelta::seconds(120)));
    assert_eq!(row.next_run, start + TimeDelta::seconds(180));
    assert!(claim(&sandbox.db, "other", start).await.unwrap(), "each name has a tick of its own");
}

#[tokio::test]
async fn how_a_run_ended_is_kept_until_the_next_one() {
    let sandbox = TestDb::new().await;
    let db = &sandbox.db;
    claim(db, "sweep", db.now() + TimeDelta::days(1)).await.unwrap();
    let long = "ä\n".repeat(600);
    finished(db, "sweep", Err(&long)).await.unwrap();
    let error = one(db).await.last_error.unwrap();
    assert_eq!(error.chars().count(), 500);
    assert!(error.starts_with("ä ä") && !error.contains('\n'));
    finished(db, "sweep", Ok(())).await.unwrap();
    assert_eq!(one(db).await.last_error, None);
}

//! What goes, what stays, and how many at a time.

use sea_orm::ActiveValue::Set;

use super::*;
use crate::{
    base::{clock::Clock, ids::JobId, permissions::Platform},
    storage::{
        db::test_db::{TestDb, TestTenant},
        outbox::{Job, State},
    },
};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A job of the tenant in this state.
async fn job(sandbox: &TestDb, tenant: TestTenant, state: State) -> JobId {
    let tx = sandbox.begin::<Platform>(tenant).await;
    let id = tx.enqueue(&Job::SendWelcome { user: tenant.owner }).await.unwrap();
    let row = outbox::ActiveModel { id: Set(id), state: Set(state), ..Default::default() };
    tx.update(row).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a job alone, without what it is about")]
    tx.commit_unaudited().await.unwrap();
    id
}

async fn jobs(sandbox: &TestDb, tenant: TestTenant) -> Vec<JobId> {
    let tx = sandbox.begin::<Platform>(tenant).await;
    let all = tx.find::<outbox::Entity>().all().await.unwrap();
    all.into_iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn of_settled_jobs_those_go_that_were_kept_long_enough() {
    let sandbox = TestDb::new().await;
    let (acme, other) = (sandbox.tenant("acme").await, sandbox.tenant("other").await);
    let mut ids = Vec::new();
    for state in [State::Pending, State::Done, State::Dead, State::Cancelled] {
        ids.push(job(&sandbox, acme, state).await);
        job(&sandbox, other, state).await;
    }
    let after = async |days| {
        let later = sandbox.at(Clock::Fixed(sandbox.db.now() + TimeDelta::days(days)));
        let gone = purge_jobs(&later.db, WEEK).await.unwrap();
        let left = jobs(&sandbox, acme).await;
        (gone, ids.iter().map(|id| left.contains(id)).collect::<Vec<_>>())
    };
    assert_eq!(after(6).await, (0, vec![true; 4]));
    assert_eq!(after(8).await, (4, vec![true, false, true, false]));
    assert_eq!(jobs(&sandbox, other).await.len(), 2);
    assert_eq!(after(31).await, (2, vec![true, false, false, false]));
    assert_eq!(after(400).await, (0, vec![true, false, false, false]));
    // Longer than a life is for ever, and no overflow.
    assert_eq!(purge_jobs(&sandbox.db, Duration::MAX).await.unwrap(), 0);
}

#[tokio::test]
async fn much_goes_by_batches() {
    let sandbox = TestDb::new().await;
    let tenants = [sandbox.tenant("acme").await, sandbox.tenant("other").await];
    let most = usize::try_from(BATCH).unwrap();
    for tenant in tenants {
        let tx = sandbox.begin::<Platform>(tenant).await;
        let now = tx.now();
        let email = |_| emails::ActiveModel {
            id: Set(JobId::new(now)),
            to: Set("ada@example.com".to_owned()),
            template: Set("welcome".to_owned()),
            status: Set(emails::Status::Sent),
            message_id: Set("<a@b>".to_owned()),
            attempts: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        tx.insert_many((0..=most / 2).map(email).collect()).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "mails alone, without what they are about")]
        tx.commit_unaudited().await.unwrap();
    }
    let later = sandbox.at(Clock::Fixed(sandbox.db.now() + TimeDelta::days(8)));
    let mut gone = Vec::new();
    loop {
        gone.push(purge_emails(&later.db, WEEK).await.unwrap());
        if gone.ends_with(&[0]) {
            break;
        }
    }
    assert_eq!(gone, [BATCH, 2, 0]);
}

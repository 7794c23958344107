//! What is deleted, what stays, and the batch size.

use sea_orm::ActiveValue::Set;

use super::*;
use crate::{
    base::{clock::Clock, ids::JobId, permissions::Platform},
    storage::{
        db::test_db::{TestDb, TestTenant},
        outbox::{Job, OutboxState},
    },
};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A job of the tenant in this state.
async fn job(sandbox: &TestDb, tenant: TestTenant, state: OutboxState) -> JobId {
    let tx = sandbox.begin::<Platform>(tenant).await;
    let id = tx.enqueue(&Job::SendWelcome { user: tenant.owner }).await.unwrap();
    let row = outbox::ActiveModel { id: Set(id), state: Set(state), ..Default::default() };
    tx.update(row).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a job without its object")]
    tx.commit_unaudited().await.unwrap();
    id
}

async fn jobs(sandbox: &TestDb, tenant: TestTenant) -> Vec<JobId> {
    let tx = sandbox.begin::<Platform>(tenant).await;
    let all = tx.find::<outbox::Entity>().all().await.unwrap();
    all.into_iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn finished_jobs_are_purged_after_their_retention() {
    let sandbox = TestDb::new().await;
    let (acme, other) = (sandbox.tenant("acme").await, sandbox.tenant("other").await);
    let mut ids = Vec::new();
    for state in [OutboxState::Pending, OutboxState::Done, OutboxState::Dead, OutboxState::Cancelled] {
        ids.push(job(&sandbox, acme, state).await);
        job(&sandbox, other, state).await;
    }
    let after = async |days| {
        let later = sandbox.at(Clock::Fixed(sandbox.db.now() + TimeDelta::days(days)));
        let deleted = purge_jobs(&later.db, WEEK).await.unwrap();
        let left = jobs(&sandbox, acme).await;
        (deleted, ids.iter().map(|id| left.contains(id)).collect::<Vec<_>>())
    };
    assert_eq!(after(6).await, (0, vec![true; 4]));
    assert_eq!(after(8).await, (4, vec![true, false, true, false]));
    assert_eq!(jobs(&sandbox, other).await.len(), 2);
    assert_eq!(after(31).await, (2, vec![true, false, false, false]));
    assert_eq!(after(400).await, (0, vec![true, false, false, false]));
    // The maximum duration does not overflow.
    assert_eq!(purge_jobs(&sandbox.db, Duration::MAX).await.unwrap(), 0);
}

#[tokio::test]
async fn many_rows_are_deleted_in_batches() {
    let sandbox = TestDb::new().await;
    let tenants = [sandbox.tenant("acme").await, sandbox.tenant("other").await];
    let batch = usize::try_from(BATCH).unwrap();
    for tenant in tenants {
        let tx = sandbox.begin::<Platform>(tenant).await;
        let now = tx.now();
        let email = |_| emails::ActiveModel {
            id: Set(JobId::new(now)),
            to: Set("ada@example.com".to_owned()),
            template: Set("welcome".to_owned()),
            status: Set(emails::DeliveryStatus::Sent),
            message_id: Set("<a@b>".to_owned()),
            attempts: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        tx.insert_many((0..=batch / 2).map(email).collect()).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "delivery records without their objects")]
        tx.commit_unaudited().await.unwrap();
    }
    let later = sandbox.at(Clock::Fixed(sandbox.db.now() + TimeDelta::days(8)));
    let mut deleted = Vec::new();
    loop {
        deleted.push(purge_emails(&later.db, WEEK).await.unwrap());
        if deleted.ends_with(&[0]) {
            break;
        }
    }
    assert_eq!(deleted, [BATCH, 2, 0]);
}

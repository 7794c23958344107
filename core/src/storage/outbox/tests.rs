//! Claiming and completing jobs, on a database.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ColumnTrait, sea_query::Expr};

use super::{
    ClaimOutcome, ClaimedJob, Column, Entity, Job, JobResult, OutboxJob, OutboxState, complete_and_claim,
    due, queue,
};
use crate::{
    base::{
        clock::Clock,
        permissions::{AuditOrigin, Platform},
    },
    runtime::job_wakeup::JobRef,
    storage::{
        db::{
            OrgTx,
            test_db::{TestDb, TestTenant},
        },
        emails::{self, DeliveryAttempt, DeliveryStatus},
    },
};

/// Jobs of the tenant. The job of its registration belongs to the platform.
async fn jobs(test_db: &TestDb, tenant: TestTenant, number: usize) -> Vec<JobRef> {
    let tx = test_db.begin::<Platform>(tenant).await;
    let mut job_refs = Vec::new();
    for _ in 0..number {
        let job = tx.enqueue(&Job::SendWelcome { user: tenant.owner }).await.unwrap();
        job_refs.push(JobRef { org: tenant.org, job });
    }
    commit(tx).await;
    job_refs
}

#[expect(clippy::disallowed_methods, reason = "only creates jobs")]
async fn commit(tx: OrgTx<Platform>) {
    tx.commit_unaudited().await.unwrap();
}

async fn claim(test_db: &TestDb, worker_id: &str, wanted: &[JobRef]) -> Vec<ClaimedJob> {
    complete_and_claim(&test_db.db, worker_id, &[], wanted).await.unwrap()
}

async fn complete(test_db: &TestDb, worker_id: &str, claimed: &ClaimedJob, outcome: ClaimOutcome) {
    let result = JobResult {
        job_ref: claimed.job_ref,
        attempt: claimed.attempt,
        outcome,
        email: None::<DeliveryAttempt>,
        trace: claimed.trace,
    };
    assert!(complete_and_claim(&test_db.db, worker_id, &[result], &[]).await.unwrap().is_empty());
}

async fn row(test_db: &TestDb, tenant: TestTenant, job_ref: JobRef) -> OutboxJob {
    test_db
        .begin::<Platform>(tenant)
        .await
        .find::<Entity>()
        .filter(Column::Id.eq(job_ref.job))
        .one()
        .await
        .unwrap()
}

/// Simulates that the leases of all jobs expired.
async fn expire_leases(test_db: &TestDb, tenant: TestTenant) {
    let tx = test_db.begin::<Platform>(tenant).await;
    let before = Expr::value(tx.now() - Duration::from_secs(1));
    tx.update_where::<Entity>([(Column::LeaseUntil, before)], Column::LeaseUntil.is_not_null())
        .await
        .unwrap();
    commit(tx).await;
}

#[tokio::test]
async fn only_one_of_many_workers_claims_a_job() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let wanted = jobs(&test_db, acme, 50).await;
    let mut attempts = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (db, wanted) = (test_db.db.clone(), wanted.clone());
        attempts.spawn(async move {
            let claimed = complete_and_claim(&db, &format!("worker {number}"), &[], &wanted).await;
            claimed.unwrap_or_default().into_iter().map(|claimed| claimed.job_ref).collect::<Vec<_>>()
        });
    }
    let claimed = attempts.join_all().await.concat();
    assert_eq!(claimed.len(), 50);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), wanted.into_iter().collect());
    assert!(due(&test_db.db, 100).await.unwrap().iter().all(|job_ref| job_ref.org != acme.org));
}

#[tokio::test]
async fn a_worker_whose_lease_expired_cannot_complete_the_job() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let job_ref = jobs(&test_db, acme, 1).await[0];
    let slow = claim(&test_db, "slow", &[job_ref]).await.remove(0);
    assert_eq!((slow.attempt, slow.lease_expirations), (1, 0));
    assert!(claim(&test_db, "quick", &[job_ref]).await.is_empty());
    expire_leases(&test_db, acme).await;
    let quick = claim(&test_db, "quick", &[job_ref]).await.remove(0);
    assert_eq!((quick.attempt, quick.lease_expirations), (2, 1));
    complete(&test_db, "slow", &slow, ClaimOutcome::Dead("too late".into())).await;
    assert_eq!(row(&test_db, acme, job_ref).await.state, OutboxState::Pending);
    // The same worker may have claimed it twice, so its id is not enough.
    complete(&test_db, "quick", &slow, ClaimOutcome::Dead("too late".into())).await;
    assert_eq!(row(&test_db, acme, job_ref).await.state, OutboxState::Pending);
    complete(&test_db, "quick", &quick, ClaimOutcome::Done).await;
    let done = row(&test_db, acme, job_ref).await;
    assert_eq!((done.state, done.lease_by, done.last_error), (OutboxState::Done, None, None));
    assert!(done.done_at.is_some());
}

#[tokio::test]
async fn a_job_whose_lease_expires_again_and_again_is_harmful() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let job_ref = jobs(&test_db, acme, 1).await[0];
    for lease_expirations in 0..10 {
        let claimed = claim(&test_db, "victim", &[job_ref]).await.remove(0);
        assert_eq!((claimed.lease_expirations, claimed.must_not_retry()), (lease_expirations, false));
        expire_leases(&test_db, acme).await;
    }
    let claimed = claim(&test_db, "victim", &[job_ref]).await.remove(0);
    assert!(claimed.must_not_retry());
}

#[tokio::test]
async fn failed_jobs_wait_and_released_jobs_do_not() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let job_refs = jobs(&test_db, acme, 3).await;
    let claimed = claim(&test_db, "worker", &job_refs).await;
    complete(&test_db, "worker", &claimed[0], ClaimOutcome::Retry("busy\0".into())).await;
    complete(&test_db, "worker", &claimed[1], ClaimOutcome::Dead("never".into())).await;
    complete(&test_db, "worker", &claimed[2], ClaimOutcome::Released).await;
    let retried = row(&test_db, acme, claimed[0].job_ref).await;
    assert!(retried.run_at > retried.created_at && retried.lease_until.is_none());
    assert_eq!((retried.state, retried.last_error.as_deref()), (OutboxState::Pending, Some("busy ")));
    assert_eq!(row(&test_db, acme, claimed[1].job_ref).await.state, OutboxState::Dead);
    assert_eq!(row(&test_db, acme, claimed[2].job_ref).await.attempts, 0);
    // Jobs that wait or are dead cannot be claimed.
    let claimed_again = claim(&test_db, "worker", &job_refs).await;
    assert_eq!(claimed_again.iter().map(|claimed| claimed.job_ref).collect::<Vec<_>>(), [claimed[2].job_ref]);
    assert_eq!((claimed_again[0].attempt, claimed_again[0].lease_expirations), (1, 0));
}

#[tokio::test]
async fn due_jobs_alternate_between_organizations() {
    let test_db = TestDb::new().await;
    let (acme, umbrella) = (test_db.tenant("acme").await, test_db.tenant("umbrella").await);
    jobs(&test_db, acme, 30).await;
    let theirs = jobs(&test_db, umbrella, 2).await;
    let found = due(&test_db.db, 6).await.unwrap();
    assert!(theirs.iter().all(|job_ref| found.contains(job_ref)), "{found:?}");
    assert_eq!(found.len(), 6);
}

#[tokio::test]
async fn jobs_of_paused_queues_and_unknown_kinds_are_not_claimed() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let job_refs = jobs(&test_db, acme, 2).await;
    let tx = test_db.begin::<Platform>(acme).await;
    tx.update_where::<Entity>([(Column::Kind, Expr::value("brew_coffee"))], Column::Id.eq(job_refs[0].job))
        .await
        .unwrap();
    commit(tx).await;
    assert!(!due(&test_db.db, 100).await.unwrap().contains(&job_refs[0]));
    let pause = |paused_at| queue::ActiveModel {
        id: sea_orm::ActiveValue::Set(crate::base::ids::QueueId(uuid::Uuid::nil())),
        name: sea_orm::ActiveValue::Set("mail".into()),
        paused_at: sea_orm::ActiveValue::Set(paused_at),
        created_at: sea_orm::ActiveValue::Set(Clock::System.now()),
        updated_at: sea_orm::ActiveValue::Set(Clock::System.now()),
    };
    let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    tx.insert(pause(Some(tx.now()))).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test needs no audit event")]
    tx.commit_unaudited().await.unwrap();
    assert!(claim(&test_db, "worker", &job_refs).await.is_empty());
    let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    tx.update(pause(None)).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test needs no audit event")]
    tx.commit_unaudited().await.unwrap();
    let claimed = claim(&test_db, "worker", &job_refs).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.job_ref).collect::<Vec<_>>(), [job_refs[1]]);
    assert_eq!(row(&test_db, acme, job_refs[0]).await.attempts, 0);
}

#[tokio::test]
async fn the_delivery_of_an_e_mail_is_recorded_with_its_job() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let job_ref = jobs(&test_db, acme, 1).await[0];
    for (status, outcome) in [
        (DeliveryStatus::Deferred, ClaimOutcome::Retry("451".into())),
        (DeliveryStatus::Sent, ClaimOutcome::Done),
    ] {
        let attempt = DeliveryAttempt {
            to: "ada@example.com".into(),
            template: "welcome",
            message_id: format!("<{}@localhost>", job_ref.job),
            status,
            error: (status == DeliveryStatus::Deferred).then(|| "451".into()),
        };
        let tx = test_db.begin::<Platform>(acme).await;
        let now = Expr::value(tx.now());
        tx.update_where::<Entity>([(Column::RunAt, now)], Column::Id.eq(job_ref.job)).await.unwrap();
        commit(tx).await;
        let claimed = claim(&test_db, "worker", &[job_ref]).await.remove(0);
        let result = JobResult {
            job_ref,
            attempt: claimed.attempt,
            outcome,
            email: Some(attempt),
            trace: claimed.trace,
        };
        complete_and_claim(&test_db.db, "worker", &[result], &[]).await.unwrap();
        let mails = test_db.begin::<Platform>(acme).await.find::<emails::Entity>().all().await.unwrap();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].trace_id, Some(claimed.trace.trace_id().to_string()));
        assert_eq!((mails[0].status, mails[0].attempts), (status, claimed.attempt));
        assert_eq!(mails[0].sent_at.is_some(), status == DeliveryStatus::Sent);
        assert_eq!(mails[0].last_error.is_some(), status == DeliveryStatus::Deferred);
    }
}

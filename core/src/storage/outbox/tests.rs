//! Taking jobs and giving them back, on a database.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ColumnTrait, sea_query::Expr};

use super::{
    ClaimOutcome, ClaimedJob, Column, Entity, Envelope, Job, JobResult, State, due, queue, settle_and_claim,
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
        emails::{self, DeliveryAttempt, Status},
    },
};

/// Jobs of their own besides the one of the registration, which is the platform's.
async fn jobs(sandbox: &TestDb, tenant: TestTenant, number: usize) -> Vec<JobRef> {
    let tx = sandbox.begin::<Platform>(tenant).await;
    let mut job_refs = Vec::new();
    for _ in 0..number {
        let job = tx.enqueue(&Job::SendWelcome { user: tenant.owner }).await.unwrap();
        job_refs.push(JobRef { org: tenant.org, job });
    }
    commit(tx).await;
    job_refs
}

#[expect(clippy::disallowed_methods, reason = "jobs alone, without what they are about")]
async fn commit(tx: OrgTx<Platform>) {
    tx.commit_unaudited().await.unwrap();
}

async fn claim(sandbox: &TestDb, holder: &str, wanted: &[JobRef]) -> Vec<ClaimedJob> {
    settle_and_claim(&sandbox.db, holder, &[], wanted).await.unwrap()
}

async fn settle(sandbox: &TestDb, holder: &str, claimed: &ClaimedJob, outcome: ClaimOutcome) {
    let settled = JobResult {
        job_ref: claimed.job_ref,
        attempt: claimed.attempt,
        outcome,
        email: None::<DeliveryAttempt>,
    };
    assert!(settle_and_claim(&sandbox.db, holder, &[settled], &[]).await.unwrap().is_empty());
}

async fn row(sandbox: &TestDb, tenant: TestTenant, job_ref: JobRef) -> Envelope {
    sandbox
        .begin::<Platform>(tenant)
        .await
        .find::<Entity>()
        .filter(Column::Id.eq(job_ref.job))
        .one()
        .await
        .unwrap()
}

/// As if time had passed: the lease of every job is over.
async fn lapse(sandbox: &TestDb, tenant: TestTenant) {
    let tx = sandbox.begin::<Platform>(tenant).await;
    let before = Expr::value(tx.now() - Duration::from_secs(1));
    tx.update_where::<Entity>([(Column::LeaseUntil, before)], Column::LeaseUntil.is_not_null())
        .await
        .unwrap();
    commit(tx).await;
}

#[tokio::test]
async fn of_many_who_want_a_job_one_gets_it() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let wanted = jobs(&sandbox, acme, 50).await;
    let mut attempts = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (db, wanted) = (sandbox.db.clone(), wanted.clone());
        attempts.spawn(async move {
            let claimed = settle_and_claim(&db, &format!("worker {number}"), &[], &wanted).await;
            claimed.unwrap_or_default().into_iter().map(|claimed| claimed.job_ref).collect::<Vec<_>>()
        });
    }
    let claimed = attempts.join_all().await.concat();
    assert_eq!(claimed.len(), 50);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), wanted.into_iter().collect());
    assert!(due(&sandbox.db, 100).await.unwrap().iter().all(|job_ref| job_ref.org != acme.org));
}

#[tokio::test]
async fn who_lost_his_lease_decides_nothing() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let job_ref = jobs(&sandbox, acme, 1).await[0];
    let slow = claim(&sandbox, "slow", &[job_ref]).await.remove(0);
    assert_eq!((slow.attempt, slow.lease_expirations), (1, 0));
    assert!(claim(&sandbox, "quick", &[job_ref]).await.is_empty());
    lapse(&sandbox, acme).await;
    let quick = claim(&sandbox, "quick", &[job_ref]).await.remove(0);
    assert_eq!((quick.attempt, quick.lease_expirations), (2, 1));
    settle(&sandbox, "slow", &slow, ClaimOutcome::Dead("too late".into())).await;
    assert_eq!(row(&sandbox, acme, job_ref).await.state, State::Pending);
    // Not even by the same name: he may have taken it twice.
    settle(&sandbox, "quick", &slow, ClaimOutcome::Dead("too late".into())).await;
    assert_eq!(row(&sandbox, acme, job_ref).await.state, State::Pending);
    settle(&sandbox, "quick", &quick, ClaimOutcome::Done).await;
    let done = row(&sandbox, acme, job_ref).await;
    assert_eq!((done.state, done.lease_by, done.last_error), (State::Done, None, None));
    assert!(done.done_at.is_some());
}

#[tokio::test]
async fn a_job_that_ends_its_worker_again_and_again_is_found_out() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let job_ref = jobs(&sandbox, acme, 1).await[0];
    for lease_expirations in 0..10 {
        let claimed = claim(&sandbox, "victim", &[job_ref]).await.remove(0);
        assert_eq!((claimed.lease_expirations, claimed.is_harmful()), (lease_expirations, false));
        lapse(&sandbox, acme).await;
    }
    let claimed = claim(&sandbox, "victim", &[job_ref]).await.remove(0);
    assert!(claimed.is_harmful());
}

#[tokio::test]
async fn what_failed_waits_what_was_given_back_does_not() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let job_refs = jobs(&sandbox, acme, 3).await;
    let claimed = claim(&sandbox, "worker", &job_refs).await;
    settle(&sandbox, "worker", &claimed[0], ClaimOutcome::Retry("busy\0".into())).await;
    settle(&sandbox, "worker", &claimed[1], ClaimOutcome::Dead("never".into())).await;
    settle(&sandbox, "worker", &claimed[2], ClaimOutcome::Released).await;
    let retried = row(&sandbox, acme, claimed[0].job_ref).await;
    assert!(retried.run_at > retried.created_at && retried.lease_until.is_none());
    assert_eq!((retried.state, retried.last_error.as_deref()), (State::Pending, Some("busy ")));
    assert_eq!(row(&sandbox, acme, claimed[1].job_ref).await.state, State::Dead);
    assert_eq!(row(&sandbox, acme, claimed[2].job_ref).await.attempts, 0);
    // The waiting and the dead are nobody's.
    let again = claim(&sandbox, "worker", &job_refs).await;
    assert_eq!(again.iter().map(|claimed| claimed.job_ref).collect::<Vec<_>>(), [claimed[2].job_ref]);
    assert_eq!((again[0].attempt, again[0].lease_expirations), (1, 0));
}

#[tokio::test]
async fn jobs_are_found_in_turns_between_organizations() {
    let sandbox = TestDb::new().await;
    let (acme, umbrella) = (sandbox.tenant("acme").await, sandbox.tenant("umbrella").await);
    jobs(&sandbox, acme, 30).await;
    let theirs = jobs(&sandbox, umbrella, 2).await;
    let found = due(&sandbox.db, 6).await.unwrap();
    assert!(theirs.iter().all(|job_ref| found.contains(job_ref)), "{found:?}");
    assert_eq!(found.len(), 6);
}

#[tokio::test]
async fn what_stands_still_or_is_not_understood_is_left_alone() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let job_refs = jobs(&sandbox, acme, 2).await;
    let tx = sandbox.begin::<Platform>(acme).await;
    tx.update_where::<Entity>([(Column::Kind, Expr::value("brew_coffee"))], Column::Id.eq(job_refs[0].job))
        .await
        .unwrap();
    commit(tx).await;
    assert!(!due(&sandbox.db, 100).await.unwrap().contains(&job_refs[0]));
    let pause = |paused_at| queue::ActiveModel {
        id: sea_orm::ActiveValue::Set(crate::base::ids::QueueId(uuid::Uuid::nil())),
        name: sea_orm::ActiveValue::Set("mail".into()),
        paused_at: sea_orm::ActiveValue::Set(paused_at),
        created_at: sea_orm::ActiveValue::Set(Clock::System.now()),
        updated_at: sea_orm::ActiveValue::Set(Clock::System.now()),
    };
    let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    tx.insert(pause(Some(tx.now()))).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "no event tells of this one")]
    tx.commit_unaudited().await.unwrap();
    assert!(claim(&sandbox, "worker", &job_refs).await.is_empty());
    let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    tx.update(pause(None)).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "no event tells of this one")]
    tx.commit_unaudited().await.unwrap();
    let claimed = claim(&sandbox, "worker", &job_refs).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.job_ref).collect::<Vec<_>>(), [job_refs[1]]);
    assert_eq!(row(&sandbox, acme, job_refs[0]).await.attempts, 0);
}

#[tokio::test]
async fn what_became_of_a_mail_is_written_with_its_job() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let job_ref = jobs(&sandbox, acme, 1).await[0];
    for (status, outcome) in
        [(Status::Deferred, ClaimOutcome::Retry("451".into())), (Status::Sent, ClaimOutcome::Done)]
    {
        let attempt = DeliveryAttempt {
            to: "ada@example.com".into(),
            template: "welcome",
            message_id: format!("<{}@localhost>", job_ref.job),
            status,
            error: (status == Status::Deferred).then(|| "451".into()),
        };
        let tx = sandbox.begin::<Platform>(acme).await;
        let now = Expr::value(tx.now());
        tx.update_where::<Entity>([(Column::RunAt, now)], Column::Id.eq(job_ref.job)).await.unwrap();
        commit(tx).await;
        let claimed = claim(&sandbox, "worker", &[job_ref]).await.remove(0);
        let settled = JobResult { job_ref, attempt: claimed.attempt, outcome, email: Some(attempt) };
        settle_and_claim(&sandbox.db, "worker", &[settled], &[]).await.unwrap();
        let mails = sandbox.begin::<Platform>(acme).await.find::<emails::Entity>().all().await.unwrap();
        assert_eq!(mails.len(), 1);
        assert_eq!((mails[0].status, mails[0].attempts), (status, claimed.attempt));
        assert_eq!(mails[0].sent_at.is_some(), status == Status::Sent);
        assert_eq!(mails[0].last_error.is_some(), status == Status::Deferred);
    }
}

//! The same request twice, on whichever database the suite runs.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{IdempotentBegin, IdempotentRequest, StoredResponse};
use crate::{
    Error,
    base::{
        clock::Clock,
        error::ErrorCode,
        ids::UserId,
        permissions::ProjectsCreate,
        text::{Name, ProjectCode},
    },
    lifecycle::maintenance,
    storage::db::test_db::{TestDb, TestTenant},
    work::projects::{self, NewProject},
};

fn once(user: UserId, body: u8) -> Option<IdempotentRequest> {
    Some(IdempotentRequest { user, operation_id: "createProject", key: "k".into(), body_sha256: [body; 32] })
}

async fn create(
    sandbox: &TestDb,
    tenant: TestTenant,
    once: Option<IdempotentRequest>,
    code: &str,
) -> Result<StoredResponse, Error> {
    let tx = match sandbox.db.begin_idempotent::<ProjectsCreate>(tenant.proof(), once).await? {
        IdempotentBegin::Replay(answer) => return Ok(answer),
        IdempotentBegin::Fresh(tx) => tx,
    };
    let (code, name) = (ProjectCode::parse(code).unwrap(), Name::parse("P").unwrap());
    let project = projects::create(
        &tx,
        NewProject { code, name, color: None, is_private: false, estimate_seconds: None },
    )
    .await?;
    let answer = StoredResponse {
        status: 201,
        location: Some("/p".into()),
        etag: Some("\"1\"".into()),
        body: project.id.to_string().into(),
    };
    tx.commit_with(&answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let sandbox = TestDb::new().await;
    let (ours, theirs) = (sandbox.tenant("ours").await, sandbox.tenant("theirs").await);
    let first = create(&sandbox, ours, once(ours.owner, 1), "A").await.unwrap();
    assert_eq!(create(&sandbox, ours, once(ours.owner, 1), "A").await.unwrap(), first);
    let mismatch = create(&sandbox, ours, once(ours.owner, 2), "A").await.unwrap_err();
    assert_eq!(mismatch.code(), ErrorCode::IdempotencyMismatch);
    // Keys of other people, and of other organizations, have nothing to do with it.
    assert_ne!(create(&sandbox, ours, once(theirs.owner, 1), "B").await.unwrap(), first);
    assert_ne!(create(&sandbox, theirs, once(ours.owner, 1), "A").await.unwrap(), first);
    // Without a key it is a new request.
    assert_eq!(create(&sandbox, ours, None, "A").await.unwrap_err().code(), ErrorCode::ProjectCodeTaken);
}

#[tokio::test]
async fn a_refused_request_is_not_remembered() {
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    create(&sandbox, ours, None, "A").await.unwrap();
    assert!(create(&sandbox, ours, once(ours.owner, 1), "a").await.is_err());
    create(&sandbox, ours, once(ours.owner, 2), "B").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_one_is_done_and_all_get_its_answer() {
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    let sandbox = Arc::new(sandbox);
    let mut requests = JoinSet::new();
    for _ in 0..16 {
        let sandbox = Arc::clone(&sandbox);
        requests.spawn(async move { create(&sandbox, ours, once(ours.owner, 1), "A").await.unwrap() });
    }
    let answers = requests.join_all().await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn an_answer_is_forgotten_after_a_day_and_swept_away() {
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    let first = create(&sandbox, ours, once(ours.owner, 1), "A").await.unwrap();
    assert_eq!(maintenance::expire_idempotency_keys(&sandbox.db).await.unwrap(), 0);
    let tomorrow = sandbox.at(Clock::Fixed(sandbox.db.now() + Duration::from_secs(25 * 3600)));
    assert_ne!(create(&tomorrow, ours, once(ours.owner, 2), "B").await.unwrap(), first);
    let later = sandbox.at(Clock::Fixed(sandbox.db.now() + Duration::from_secs(80 * 3600)));
    assert_eq!(maintenance::expire_idempotency_keys(&later.db).await.unwrap(), 1);
    assert_eq!(maintenance::expire_idempotency_keys(&later.db).await.unwrap(), 0);
}

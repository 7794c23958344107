//! Repeated requests, on the database of the test run.

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

fn with_key(user: UserId, body: u8) -> Option<IdempotentRequest> {
    Some(IdempotentRequest { user, operation_id: "createProject", key: "k".into(), body_sha256: [body; 32] })
}

async fn create(
    test_db: &TestDb,
    tenant: TestTenant,
    request: Option<IdempotentRequest>,
    code: &str,
) -> Result<StoredResponse, Error> {
    let tx = match test_db.db.begin_idempotent::<ProjectsCreate>(tenant.proof(), request).await? {
        IdempotentBegin::Replay(response) => return Ok(response),
        IdempotentBegin::Fresh(tx) => tx,
    };
    let (code, name) = (ProjectCode::parse(code).unwrap(), Name::parse("P").unwrap());
    let project = projects::create(
        &tx,
        NewProject { code, name, color: None, is_private: false, estimate_seconds: None },
    )
    .await?;
    let response = StoredResponse {
        status: 201,
        location: Some("/p".into()),
        etag: Some("\"1\"".into()),
        body: project.id.to_string().into(),
    };
    tx.commit_with(&response).await?;
    Ok(response)
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_response() {
    let test_db = TestDb::new().await;
    let (ours, theirs) = (test_db.tenant("ours").await, test_db.tenant("theirs").await);
    let first = create(&test_db, ours, with_key(ours.owner, 1), "A").await.unwrap();
    assert_eq!(create(&test_db, ours, with_key(ours.owner, 1), "A").await.unwrap(), first);
    let mismatch = create(&test_db, ours, with_key(ours.owner, 2), "A").await.unwrap_err();
    assert_eq!(mismatch.code(), ErrorCode::IdempotencyMismatch);
    // Keys of other users and organizations are independent.
    assert_ne!(create(&test_db, ours, with_key(theirs.owner, 1), "B").await.unwrap(), first);
    assert_ne!(create(&test_db, theirs, with_key(ours.owner, 1), "A").await.unwrap(), first);
    // A request without a key is always new.
    assert_eq!(create(&test_db, ours, None, "A").await.unwrap_err().code(), ErrorCode::ProjectCodeTaken);
}

#[tokio::test]
async fn the_response_of_a_refused_request_is_not_stored() {
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    create(&test_db, ours, None, "A").await.unwrap();
    assert!(create(&test_db, ours, with_key(ours.owner, 1), "a").await.is_err());
    create(&test_db, ours, with_key(ours.owner, 2), "B").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_requests_are_handled_once_and_get_the_same_response() {
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    let test_db = Arc::new(test_db);
    let mut requests = JoinSet::new();
    for _ in 0..16 {
        let test_db = Arc::clone(&test_db);
        requests.spawn(async move { create(&test_db, ours, with_key(ours.owner, 1), "A").await.unwrap() });
    }
    let responses = requests.join_all().await;
    assert!(responses.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_response_expires_after_a_day_and_is_purged() {
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    let first = create(&test_db, ours, with_key(ours.owner, 1), "A").await.unwrap();
    assert_eq!(maintenance::expire_idempotency_keys(&test_db.db).await.unwrap(), 0);
    let tomorrow = test_db.at(Clock::Fixed(test_db.db.now() + Duration::from_secs(25 * 3600)));
    assert_ne!(create(&tomorrow, ours, with_key(ours.owner, 2), "B").await.unwrap(), first);
    let later = test_db.at(Clock::Fixed(test_db.db.now() + Duration::from_secs(80 * 3600)));
    assert_eq!(maintenance::expire_idempotency_keys(&later.db).await.unwrap(), 1);
    assert_eq!(maintenance::expire_idempotency_keys(&later.db).await.unwrap(), 0);
}

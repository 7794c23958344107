use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde_json::json;

use super::*;
use crate::{
    base::permissions::AuditOrigin,
    lifecycle::maintenance,
    storage::{db::test_db::TestDb, signing_keys::Schedule},
};

const ISSUER: &str = "https://insula.example";
const TTL: Duration = Duration::from_secs(900);

fn master() -> MasterKey {
    MasterKey::new("k".repeat(32))
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// What a process of this installation would hold.
async fn tokens(sandbox: &TestDb, issuer: &str) -> Tokens {
    let schedule = Schedule { rotation: TTL, lead: TTL, retention: TTL };
    maintenance::advance_keys(&sandbox.db, &master(), &schedule).await.unwrap();
    let tokens = Tokens::new(&sandbox.db, &master(), issuer, TTL);
    tokens.reload().await.unwrap();
    tokens
}

fn issue(tokens: &Tokens) -> String {
    tokens.issue(UserId::new(now()), (SessionId::new(now()), 1), now()).unwrap().token
}

async fn replace_keys(sandbox: &TestDb) {
    let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    signing_keys::replace(&tx, &master()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_token_says_who_until_it_expires() {
    let sandbox = TestDb::new().await;
    let here = tokens(&sandbox, ISSUER).await;
    let (user, session) = (UserId::new(now()), SessionId::new(now()));
    let token = here.issue(user, (session, 7), now()).unwrap().token;
    for at in [now(), now() + Duration::from_secs(899)] {
        let claims = here.verify(&token, at).await.unwrap();
        assert_eq!((claims.user, claims.session, claims.generation), (user, session, 7));
    }
    // Remembered or not.
    let there = tokens(&sandbox, ISSUER).await;
    for tokens in [&here, &there] {
        assert!(tokens.verify(&token, now() + TTL).await.is_err());
    }
    let young = tokens(&sandbox, ISSUER).await;
    assert!(young.verify(&token, now() - Duration::from_secs(61)).await.is_err());
    assert!(young.verify(&token, now() - Duration::from_secs(60)).await.is_ok());
    assert!(there.verify(&token, now()).await.is_ok());
}

#[tokio::test]
async fn other_keys_issuers_and_altered_tokens_are_refused() {
    let (sandbox, other) = (TestDb::new().await, TestDb::new().await);
    let here = tokens(&sandbox, ISSUER).await;
    let token = issue(&here);
    assert!(tokens(&other, ISSUER).await.verify(&token, now()).await.is_err());
    assert!(tokens(&sandbox, "https://other.example").await.verify(&token, now()).await.is_err());
    for at in [5, token.len() / 2, token.len() - 10] {
        let mut altered = token.clone();
        altered.replace_range(at..=at, if &token[at..=at] == "A" { "B" } else { "A" });
        assert!(here.verify(&altered, now()).await.is_err());
    }
}

#[tokio::test]
async fn other_algorithms_and_types_are_refused() {
    let sandbox = TestDb::new().await;
    let tokens = tokens(&sandbox, ISSUER).await;
    let (job_ref, token) = (tokens.job_ref(), issue(&tokens));
    let key = job_ref.signer().unwrap();
    let body = token.split('.').nth(1).unwrap();
    let header = json!({ "typ": TYPE, "alg": "none", "kid": key.kid }).to_string();
    let unsigned = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(header));
    assert!(tokens.verify(&unsigned, now()).await.is_err());
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
    let kid = Some(key.kid.clone());
    let hmac = Header { typ: Some(TYPE.into()), kid: kid.clone(), ..Header::new(Algorithm::HS256) };
    let jwks = tokens.jwks();
    let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let forged = jsonwebtoken::encode(&hmac, &payload, &EncodingKey::from_secret(&public)).unwrap();
    assert!(tokens.verify(&forged, now()).await.is_err());
    let plain = Header { kid, ..Header::new(Algorithm::EdDSA) };
    let other_type = jsonwebtoken::encode(&plain, &payload, &key.signs).unwrap();
    assert!(tokens.verify(&other_type, now()).await.is_err());
}

#[tokio::test]
async fn a_header_that_brings_its_own_key_is_refused() {
    let (sandbox, other) = (TestDb::new().await, TestDb::new().await);
    let (here, theirs) = (tokens(&sandbox, ISSUER).await, tokens(&other, ISSUER).await);
    let token = issue(&here);
    let body = token.split('.').nth(1).unwrap();
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
    let jwk = serde_json::from_value(theirs.jwks()["keys"][0].clone()).unwrap();
    let forged = Header {
        typ: Some(TYPE.into()),
        kid: Some(here.job_ref().signer().unwrap().kid.clone()),
        jwk: Some(jwk),
        jku: Some("https://eve.example/jwks.json".into()),
        x5u: Some("https://eve.example/x5u".into()),
        ..Header::new(Algorithm::EdDSA)
    };
    let forged = jsonwebtoken::encode(&forged, &payload, &theirs.job_ref().signer().unwrap().signs).unwrap();
    assert!(here.verify(&forged, now()).await.is_err());
}

#[tokio::test]
async fn a_removed_key_takes_what_was_verified_with_it() {
    let sandbox = TestDb::new().await;
    let tokens = tokens(&sandbox, ISSUER).await;
    let token = issue(&tokens);
    tokens.verify(&token, now()).await.unwrap();
    replace_keys(&sandbox).await;
    tokens.reload().await.unwrap();
    assert!(tokens.verify(&token, now()).await.is_err());
    assert!(tokens.verify(&issue(&tokens), now()).await.is_ok());
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_a_second_at_most() {
    let sandbox = TestDb::new().await;
    let (old, new) = (tokens(&sandbox, ISSUER).await, tokens(&sandbox, ISSUER).await);
    replace_keys(&sandbox).await;
    new.reload().await.unwrap();
    let token = issue(&new);
    // It has just looked, as far as it knows.
    *old.looked.lock().await = Some(Instant::now() + LOOK_AGAIN * 1000);
    assert!(old.verify(&token, now()).await.is_err());
    *old.looked.lock().await = Instant::now().checked_sub(LOOK_AGAIN);
    // All that come at once wait for the one that looks.
    let (one, two) = tokio::join!(old.verify(&token, now()), old.verify(&token, now()));
    assert!(one.is_ok() && two.is_ok());
}

#[tokio::test]
async fn a_process_without_the_new_master_key_goes_on_with_the_keys_it_knows() {
    let sandbox = TestDb::new().await;
    let tokens = tokens(&sandbox, ISSUER).await;
    let kid = tokens.job_ref().signer().unwrap().kid.clone();
    let schedule = Schedule { rotation: Duration::ZERO, lead: Duration::ZERO, retention: TTL };
    let changed =
        MasterKey::new("n".repeat(32)).with_previous(Some(crate::base::crypto::Secret::new("k".repeat(32))));
    for _ in 0..2 {
        maintenance::advance_keys(&sandbox.db, &changed, &schedule).await.unwrap();
        tokens.reload().await.unwrap();
        assert_eq!(tokens.job_ref().signer().unwrap().kid, kid);
        tokens.verify(&issue(&tokens), now()).await.unwrap();
    }
}

#[tokio::test]
async fn without_keys_nothing_is_signed_or_valid() {
    let sandbox = TestDb::new().await;
    let tokens = Tokens::new(&sandbox.db, &master(), ISSUER, TTL);
    assert!(tokens.issue(UserId::new(now()), (SessionId::new(now()), 1), now()).is_err());
    assert_eq!(tokens.jwks(), json!({ "keys": [] }));
}

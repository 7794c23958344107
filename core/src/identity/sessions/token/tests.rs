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

/// The tokens of one process of this installation, with keys.
async fn tokens(test_db: &TestDb, issuer: &str) -> AccessTokens {
    let schedule = Schedule { rotation: TTL, lead: TTL, retention: TTL };
    maintenance::advance_keys(&test_db.db, &master(), &schedule).await.unwrap();
    let tokens = AccessTokens::new(&test_db.db, &master(), issuer, TTL);
    tokens.reload().await.unwrap();
    tokens
}

fn issue(tokens: &AccessTokens) -> String {
    tokens.issue(UserId::new(now()), (SessionId::new(now()), 1), now()).unwrap().token
}

async fn replace_keys(test_db: &TestDb) {
    let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    signing_keys::replace(&tx, &master()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_token_identifies_user_and_session_until_it_expires() {
    let test_db = TestDb::new().await;
    let cached = tokens(&test_db, ISSUER).await;
    let (user, session) = (UserId::new(now()), SessionId::new(now()));
    let token = cached.issue(user, (session, 7), now()).unwrap().token;
    for at in [now(), now() + Duration::from_secs(899)] {
        let claims = cached.verify(&token, at).await.unwrap();
        assert_eq!((claims.user, claims.session, claims.generation), (user, session, 7));
    }
    // Both with and without a cached verification.
    let uncached = tokens(&test_db, ISSUER).await;
    for tokens in [&cached, &uncached] {
        assert!(tokens.verify(&token, now() + TTL).await.is_err());
    }
    let early = tokens(&test_db, ISSUER).await;
    assert!(early.verify(&token, now() - Duration::from_secs(61)).await.is_err());
    assert!(early.verify(&token, now() - Duration::from_secs(60)).await.is_ok());
    assert!(uncached.verify(&token, now()).await.is_ok());
}

#[tokio::test]
async fn other_keys_other_issuers_and_altered_tokens_are_rejected() {
    let (test_db, other) = (TestDb::new().await, TestDb::new().await);
    let ours = tokens(&test_db, ISSUER).await;
    let token = issue(&ours);
    assert!(tokens(&other, ISSUER).await.verify(&token, now()).await.is_err());
    assert!(tokens(&test_db, "https://other.example").await.verify(&token, now()).await.is_err());
    for at in [5, token.len() / 2, token.len() - 10] {
        let mut altered = token.clone();
        altered.replace_range(at..=at, if &token[at..=at] == "A" { "B" } else { "A" });
        assert!(ours.verify(&altered, now()).await.is_err());
    }
}

#[tokio::test]
async fn other_algorithms_and_types_are_rejected() {
    let test_db = TestDb::new().await;
    let tokens = tokens(&test_db, ISSUER).await;
    let (key_ring, token) = (tokens.key_ring(), issue(&tokens));
    let key = key_ring.signer().unwrap();
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
    let other_type = jsonwebtoken::encode(&plain, &payload, &key.encoding).unwrap();
    assert!(tokens.verify(&other_type, now()).await.is_err());
}

#[tokio::test]
async fn a_header_with_its_own_key_is_rejected() {
    let (test_db, other) = (TestDb::new().await, TestDb::new().await);
    let (ours, theirs) = (tokens(&test_db, ISSUER).await, tokens(&other, ISSUER).await);
    let token = issue(&ours);
    let body = token.split('.').nth(1).unwrap();
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
    let jwk = serde_json::from_value(theirs.jwks()["keys"][0].clone()).unwrap();
    let forged = Header {
        typ: Some(TYPE.into()),
        kid: Some(ours.key_ring().signer().unwrap().kid.clone()),
        jwk: Some(jwk),
        jku: Some("https://eve.example/jwks.json".into()),
        x5u: Some("https://eve.example/x5u".into()),
        ..Header::new(Algorithm::EdDSA)
    };
    let forged =
        jsonwebtoken::encode(&forged, &payload, &theirs.key_ring().signer().unwrap().encoding).unwrap();
    assert!(ours.verify(&forged, now()).await.is_err());
}

#[tokio::test]
async fn a_removed_key_invalidates_its_cached_tokens() {
    let test_db = TestDb::new().await;
    let tokens = tokens(&test_db, ISSUER).await;
    let token = issue(&tokens);
    tokens.verify(&token, now()).await.unwrap();
    replace_keys(&test_db).await;
    tokens.reload().await.unwrap();
    assert!(tokens.verify(&token, now()).await.is_err());
    assert!(tokens.verify(&issue(&tokens), now()).await.is_ok());
}

#[tokio::test]
async fn an_unknown_key_causes_at_most_one_reload_per_second() {
    let test_db = TestDb::new().await;
    let (old, new) = (tokens(&test_db, ISSUER).await, tokens(&test_db, ISSUER).await);
    replace_keys(&test_db).await;
    new.reload().await.unwrap();
    let token = issue(&new);
    // Make it look like a reload just happened.
    *old.reloaded.lock().await = Some(Instant::now() + RELOAD_INTERVAL * 1000);
    assert!(old.verify(&token, now()).await.is_err());
    *old.reloaded.lock().await = Instant::now().checked_sub(RELOAD_INTERVAL);
    // Concurrent verifications wait for one reload.
    let (one, two) = tokio::join!(old.verify(&token, now()), old.verify(&token, now()));
    assert!(one.is_ok() && two.is_ok());
}

#[tokio::test]
async fn a_process_without_the_new_master_key_keeps_its_known_keys() {
    let test_db = TestDb::new().await;
    let tokens = tokens(&test_db, ISSUER).await;
    let kid = tokens.key_ring().signer().unwrap().kid.clone();
    let schedule = Schedule { rotation: Duration::ZERO, lead: Duration::ZERO, retention: TTL };
    let changed =
        MasterKey::new("n".repeat(32)).with_previous(Some(crate::base::crypto::Secret::new("k".repeat(32))));
    for _ in 0..2 {
        maintenance::advance_keys(&test_db.db, &changed, &schedule).await.unwrap();
        tokens.reload().await.unwrap();
        assert_eq!(tokens.key_ring().signer().unwrap().kid, kid);
        tokens.verify(&issue(&tokens), now()).await.unwrap();
    }
}

#[tokio::test]
async fn without_keys_no_token_is_issued() {
    let test_db = TestDb::new().await;
    let tokens = AccessTokens::new(&test_db.db, &master(), ISSUER, TTL);
    assert!(tokens.issue(UserId::new(now()), (SessionId::new(now()), 1), now()).is_err());
    assert_eq!(tokens.jwks(), json!({ "keys": [] }));
}

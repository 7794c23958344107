use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    KeyState::{Active, Next, Retiring},
    *,
};
use crate::{
    base::{
        clock::Clock,
        crypto::{KeyPurpose, Secret},
        error::ErrorCode,
        permissions::AuditOrigin,
    },
    storage::db::test_db::TestDb,
};

const SCHEDULE: Schedule = Schedule {
    rotation: Duration::from_secs(1000),
    lead: Duration::from_secs(100),
    retention: Duration::from_secs(10),
};

fn master(letter: &str) -> MasterKey {
    MasterKey::new(letter.repeat(32))
}

fn row(pair: &KeyPair, master: &MasterKey) -> SigningKey {
    let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    SigningKey {
        id: SigningKeyId::new(now),
        purpose: ACCESS.to_owned(),
        kid: pair.kid().to_owned(),
        public: pair.public().to_vec(),
        wrapped_private: pair.wrap(master, ACCESS).unwrap(),
        state: Active,
        activates_at: now,
        expires_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// A database whose actions run at a number of seconds after its first key was created.
struct KeyFixture {
    test_db: TestDb,
    start: DateTime<Utc>,
}

impl KeyFixture {
    async fn new() -> Self {
        let fixture =
            Self { test_db: TestDb::new().await, start: DateTime::from_timestamp(1_790_000_000, 0).unwrap() };
        fixture.advance(0, "k").await.unwrap();
        fixture
    }

    async fn tx(&self, second: u64) -> GlobalTx {
        let clock = Clock::Fixed(self.start + Duration::from_secs(second));
        self.test_db.at(clock).db.begin_global(AuditOrigin::SYSTEM).await.unwrap()
    }

    async fn advance(&self, second: u64, key: &str) -> Result<()> {
        let tx = self.tx(second).await;
        advance(&tx, &master(key), &SCHEDULE).await?;
        tx.commit().await
    }

    async fn rotate(&self, second: u64) -> SigningKey {
        let tx = self.tx(second).await;
        let key = rotate(&tx, &master("k"), &SCHEDULE).await.unwrap();
        tx.commit().await.unwrap();
        key
    }

    async fn keys(&self) -> Vec<SigningKey> {
        list(&self.test_db.db).await.unwrap()
    }

    async fn states(&self) -> Vec<KeyState> {
        self.keys().await.iter().map(|key| key.state).collect()
    }
}

#[test]
fn a_key_is_decrypted_with_its_master_key_only() {
    let pair = KeyPair::generate().unwrap();
    let row = row(&pair, &master("a"));
    assert_eq!(open(&master("a"), &row).unwrap().public(), pair.public());
    assert!(matches!(open(&master("b"), &row), Err(Error::Misconfigured(_))));
    let both = master("b").with_previous(Some(Secret::new("a".repeat(32))));
    let unwrapped = KeyPair::unwrap(&both, &row).unwrap();
    assert!(unwrapped.is_outdated && unwrapped.pair.public() == pair.public());
    assert_ne!(pair.wrap(&both, ACCESS).unwrap(), pair.wrap(&both, ACCESS).unwrap());
}

#[test]
fn a_kid_is_the_start_of_the_hash_of_the_public_key() {
    // SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING } (RFC 8410 §4).
    const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let pair = KeyPair::generate().unwrap();
    let hash = Sha256::digest([&HEAD[..], &pair.public()].concat());
    assert_eq!(pair.kid(), URL_SAFE_NO_PAD.encode(&hash[..8]));
}

#[test]
fn an_altered_row_cannot_be_decrypted() {
    let (pair, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (good, foreign) = (row(&pair, &master("a")), row(&other, &master("a")));
    let mut altered = vec![
        SigningKey { purpose: "audit".into(), ..good.clone() },
        SigningKey { kid: foreign.kid.clone(), ..good.clone() },
        SigningKey { public: foreign.public.clone(), ..good.clone() },
        SigningKey { kid: foreign.kid.clone(), public: foreign.public, ..good.clone() },
        SigningKey { wrapped_private: foreign.wrapped_private, ..good.clone() },
        SigningKey { wrapped_private: Vec::new(), ..good.clone() },
    ];
    for at in 0..good.wrapped_private.len() {
        let mut bytes = good.wrapped_private.clone();
        bytes[at] ^= 1;
        altered.push(SigningKey { wrapped_private: bytes, ..good.clone() });
    }
    assert!(altered.iter().all(|row| open(&master("a"), row).is_err()));
    assert!(!format!("{good:?}").contains("wrapped"));
}

#[tokio::test]
async fn keys_are_rotated_when_due() {
    let fixture = KeyFixture::new().await;
    for (second, states) in [
        (0, &[Active][..]),
        (999, &[Active]),
        (1000, &[Active, Next]),
        (1099, &[Active, Next]),
        (1100, &[Retiring, Active]),
        (1109, &[Retiring, Active]),
        (1110, &[Active]),
        (2099, &[Active]),
        (2100, &[Active, Next]),
    ] {
        for _ in 0..2 {
            fixture.advance(second, "k").await.unwrap();
            assert_eq!(fixture.states().await, states, "second {second}");
        }
    }
}

#[tokio::test]
async fn a_manual_rotation_publishes_one_key() {
    let fixture = KeyFixture::new().await;
    let first = fixture.keys().await.remove(0);
    let next = fixture.rotate(10).await;
    assert_eq!((next.state, next.activates_at), (Next, fixture.start + Duration::from_secs(110)));
    assert_eq!(fixture.rotate(20).await, next);
    fixture.advance(110, "k").await.unwrap();
    let keys: Vec<_> = fixture.keys().await.into_iter().map(|key| (key.kid, key.state)).collect();
    assert_eq!(keys, [(first.kid, Retiring), (next.kid, Active)]);
}

#[tokio::test]
async fn keys_that_cannot_be_decrypted_are_replaced() {
    let fixture = KeyFixture::new().await;
    fixture.rotate(10).await;
    let before = fixture.keys().await;
    assert!(matches!(fixture.advance(20, "x").await, Err(Error::Misconfigured(_))));
    let tx = fixture.tx(20).await;
    let key = replace(&tx, &master("x")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.keys().await, std::slice::from_ref(&key));
    assert!(key.state == Active && before.iter().all(|old| old.kid != key.kid));
    fixture.advance(20, "x").await.unwrap();
}

#[tokio::test]
async fn a_new_master_key_encrypts_keys_again() {
    let fixture = KeyFixture::new().await;
    let before = fixture.keys().await.remove(0);
    let both = master("n").with_previous(Some(Secret::new("k".repeat(32))));
    let tx = fixture.tx(10).await;
    advance(&tx, &both, &SCHEDULE).await.unwrap();
    tx.commit().await.unwrap();
    let after = fixture.keys().await.remove(0);
    assert_eq!((&after.kid, after.state), (&before.kid, Active));
    assert!(open(&master("k"), &after).is_err());
    fixture.advance(20, "n").await.unwrap();
    assert_eq!(fixture.keys().await, [after]);
}

#[tokio::test]
async fn a_second_active_or_next_key_is_refused() {
    let fixture = KeyFixture::new().await;
    for (state, refused) in [(Active, true), (Next, false), (Next, true)] {
        let tx = fixture.tx(10).await;
        let created = create(&tx, &master("k"), ACCESS, state, tx.now()).await;
        assert_eq!(
            created.as_ref().is_err_and(|error| error.code() == ErrorCode::Conflict),
            refused,
            "{created:?}"
        );
        if !refused {
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_private_key_is_not_stored_in_plain_text() {
    let fixture = KeyFixture::new().await;
    let key = fixture.keys().await.remove(0);
    let pair = open(&master("k"), &key).unwrap();
    let private = pair.private().unwrap();
    let seed = private.expose().last_chunk::<32>().unwrap();
    assert!(!key.wrapped_private.windows(32).any(|window| window == seed));
    assert_ne!(master("k").derive(KeyPurpose::Wrap), *seed);
}

/// The keys of audit logs, the oldest first.
async fn audit_keys(fixture: &KeyFixture) -> Vec<SigningKey> {
    fixture.keys().await.into_iter().filter(|key| key.purpose == "audit").collect()
}

#[tokio::test]
async fn simultaneous_processes_create_one_audit_key() {
    let fixture = KeyFixture::new().await;
    let processes: Vec<_> = std::iter::repeat_with(|| fixture.test_db.elsewhere()).take(8).collect();
    let sign = async |test_db: &TestDb| audit_key(&test_db.db, &master("k")).await.unwrap();
    let keys = futures_util::future::join_all(processes.iter().map(sign)).await;
    let created = audit_keys(&fixture).await;
    assert!(created.len() == 1 && keys.iter().all(|key| key.kid() == created[0].kid), "{created:?}");
    // The rotation of access-token keys does not affect it.
    fixture.advance(10_000, "k").await.unwrap();
    assert_eq!(audit_keys(&fixture).await, created);
}

#[tokio::test]
async fn a_new_master_key_keeps_the_audit_key() {
    let fixture = KeyFixture::new().await;
    let db = &fixture.test_db.db;
    let before = audit_key(db, &master("k")).await.unwrap();
    assert!(matches!(audit_key(db, &master("n")).await, Err(Error::Misconfigured(_))));
    assert!(audit_public_keys(db, &master("n")).await.unwrap().is_empty());
    let both = master("n").with_previous(Some(Secret::new("k".repeat(32))));
    for master in [&both, &both, &master("n")] {
        assert_eq!(audit_key(db, master).await.unwrap().public(), before.public());
        assert_eq!(audit_public_keys(db, master).await.unwrap(), [before.public_key()]);
    }
    assert_eq!(audit_keys(&fixture).await.len(), 1);
    assert!(audit_public_keys(db, &master("k")).await.unwrap().is_empty());
}

#[tokio::test]
async fn signatures_of_replaced_audit_keys_stay_valid() {
    let fixture = KeyFixture::new().await;
    let db = &fixture.test_db.db;
    let old = audit_key(db, &master("k")).await.unwrap();
    let signature = old.sign(b"before");
    for second in 1..3 {
        let tx = fixture.tx(second).await;
        let replaced = replace_audit_key(&tx, &master("k")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(audit_key(db, &master("k")).await.unwrap().kid(), replaced.kid);
    }
    // Earlier keys are also encrypted with the new master key.
    let both = master("n").with_previous(Some(Secret::new("k".repeat(32))));
    audit_key(db, &both).await.unwrap();
    let keys = audit_public_keys(db, &master("n")).await.unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().any(|key| key.kid() == old.kid() && key.verifies(b"before", &signature)));
    assert!(!keys.iter().any(|key| key.verifies(b"after", &signature)));
}

#[tokio::test]
async fn an_audit_key_of_another_master_key_is_ignored() {
    let fixture = KeyFixture::new().await;
    let db = &fixture.test_db.db;
    let ours = audit_key(db, &master("k")).await.unwrap();
    let tx = fixture.tx(1).await;
    create(&tx, &master("e"), "audit", Retiring, tx.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(audit_keys(&fixture).await.len(), 2);
    assert_eq!(audit_public_keys(db, &master("k")).await.unwrap(), [ours.public_key()]);
    assert_eq!(audit_key(db, &master("k")).await.unwrap().kid(), ours.kid());
}

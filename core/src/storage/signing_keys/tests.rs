use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    State::{Active, Next, Retiring},
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

/// A database, and what is done in it so many seconds after its first key was made.
struct Shelf {
    sandbox: TestDb,
    start: DateTime<Utc>,
}

impl Shelf {
    async fn new() -> Self {
        let shelf =
            Self { sandbox: TestDb::new().await, start: DateTime::from_timestamp(1_790_000_000, 0).unwrap() };
        shelf.advance(0, "k").await.unwrap();
        shelf
    }

    async fn tx(&self, second: u64) -> GlobalTx {
        let clock = Clock::Fixed(self.start + Duration::from_secs(second));
        self.sandbox.at(clock).db.begin_global(AuditOrigin::SYSTEM).await.unwrap()
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
        list(&self.sandbox.db).await.unwrap()
    }

    async fn states(&self) -> Vec<State> {
        self.keys().await.iter().map(|key| key.state).collect()
    }
}

#[test]
fn a_wrapped_key_opens_with_its_master_key_alone() {
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
fn an_altered_row_does_not_open() {
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
async fn keys_take_turns_when_it_is_due() {
    let shelf = Shelf::new().await;
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
            shelf.advance(second, "k").await.unwrap();
            assert_eq!(shelf.states().await, states, "second {second}");
        }
    }
}

#[tokio::test]
async fn a_key_rotated_by_hand_is_published_once() {
    let shelf = Shelf::new().await;
    let first = shelf.keys().await.remove(0);
    let next = shelf.rotate(10).await;
    assert_eq!((next.state, next.activates_at), (Next, shelf.start + Duration::from_secs(110)));
    assert_eq!(shelf.rotate(20).await, next);
    shelf.advance(110, "k").await.unwrap();
    let keys: Vec<_> = shelf.keys().await.into_iter().map(|key| (key.kid, key.state)).collect();
    assert_eq!(keys, [(first.kid, Retiring), (next.kid, Active)]);
}

#[tokio::test]
async fn keys_are_replaced_also_when_they_do_not_open() {
    let shelf = Shelf::new().await;
    shelf.rotate(10).await;
    let before = shelf.keys().await;
    assert!(matches!(shelf.advance(20, "x").await, Err(Error::Misconfigured(_))));
    let tx = shelf.tx(20).await;
    let key = replace(&tx, &master("x")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shelf.keys().await, std::slice::from_ref(&key));
    assert!(key.state == Active && before.iter().all(|old| old.kid != key.kid));
    shelf.advance(20, "x").await.unwrap();
}

#[tokio::test]
async fn a_new_master_key_wraps_anew() {
    let shelf = Shelf::new().await;
    let before = shelf.keys().await.remove(0);
    let both = master("n").with_previous(Some(Secret::new("k".repeat(32))));
    let tx = shelf.tx(10).await;
    advance(&tx, &both, &SCHEDULE).await.unwrap();
    tx.commit().await.unwrap();
    let after = shelf.keys().await.remove(0);
    assert_eq!((&after.kid, after.state), (&before.kid, Active));
    assert!(open(&master("k"), &after).is_err());
    shelf.advance(20, "n").await.unwrap();
    assert_eq!(shelf.keys().await, [after]);
}

#[tokio::test]
async fn a_second_active_or_next_key_is_refused() {
    let shelf = Shelf::new().await;
    for (state, refused) in [(Active, true), (Next, false), (Next, true)] {
        let tx = shelf.tx(10).await;
        let made = create(&tx, &master("k"), ACCESS, state, tx.now()).await;
        assert_eq!(
            made.as_ref().is_err_and(|error| error.code() == ErrorCode::Conflict),
            refused,
            "{made:?}"
        );
        if !refused {
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_stored_is_no_private_key() {
    let shelf = Shelf::new().await;
    let key = shelf.keys().await.remove(0);
    let pair = open(&master("k"), &key).unwrap();
    let private = pair.private().unwrap();
    let seed = private.expose().last_chunk::<32>().unwrap();
    assert!(!key.wrapped_private.windows(32).any(|window| window == seed));
    assert_ne!(master("k").derive(KeyPurpose::Wrap), *seed);
}

/// The keys of audit logs, the oldest first.
async fn of_audit(shelf: &Shelf) -> Vec<SigningKey> {
    shelf.keys().await.into_iter().filter(|key| key.purpose == "audit").collect()
}

#[tokio::test]
async fn of_several_that_seal_first_one_makes_the_key_and_all_sign_with_it() {
    let shelf = Shelf::new().await;
    let sealers: Vec<_> = std::iter::repeat_with(|| shelf.sandbox.elsewhere()).take(8).collect();
    let sign = async |sandbox: &TestDb| audit_key(&sandbox.db, &master("k")).await.unwrap();
    let keys = futures_util::future::join_all(sealers.iter().map(sign)).await;
    let made = of_audit(&shelf).await;
    assert!(made.len() == 1 && keys.iter().all(|key| key.kid() == made[0].kid), "{made:?}");
    // Keys of access tokens take turns without it.
    shelf.advance(10_000, "k").await.unwrap();
    assert_eq!(of_audit(&shelf).await, made);
}

#[tokio::test]
async fn an_audit_key_is_wrapped_anew_for_a_new_master_key_and_stays_the_same() {
    let shelf = Shelf::new().await;
    let db = &shelf.sandbox.db;
    let before = audit_key(db, &master("k")).await.unwrap();
    assert!(matches!(audit_key(db, &master("n")).await, Err(Error::Misconfigured(_))));
    assert!(audit_public_keys(db, &master("n")).await.unwrap().is_empty());
    let both = master("n").with_previous(Some(Secret::new("k".repeat(32))));
    for master in [&both, &both, &master("n")] {
        assert_eq!(audit_key(db, master).await.unwrap().public(), before.public());
        assert_eq!(audit_public_keys(db, master).await.unwrap(), [before.public_key()]);
    }
    assert_eq!(of_audit(&shelf).await.len(), 1);
    assert!(audit_public_keys(db, &master("k")).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_replaced_audit_key_signed_is_verified_for_ever() {
    let shelf = Shelf::new().await;
    let db = &shelf.sandbox.db;
    let old = audit_key(db, &master("k")).await.unwrap();
    let signature = old.sign(b"before");
    for second in 1..3 {
        let tx = shelf.tx(second).await;
        let replaced = replace_audit_key(&tx, &master("k")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(audit_key(db, &master("k")).await.unwrap().kid(), replaced.kid);
    }
    // Also those of before are wrapped for the master key of tomorrow.
    let both = master("n").with_previous(Some(Secret::new("k".repeat(32))));
    audit_key(db, &both).await.unwrap();
    let keys = audit_public_keys(db, &master("n")).await.unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().any(|key| key.kid() == old.kid() && key.verifies(b"before", &signature)));
    assert!(!keys.iter().any(|key| key.verifies(b"after", &signature)));
}

#[tokio::test]
async fn an_audit_key_that_was_slipped_in_verifies_nothing() {
    let shelf = Shelf::new().await;
    let db = &shelf.sandbox.db;
    let ours = audit_key(db, &master("k")).await.unwrap();
    let tx = shelf.tx(1).await;
    create(&tx, &master("e"), "audit", Retiring, tx.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(of_audit(&shelf).await.len(), 2);
    assert_eq!(audit_public_keys(db, &master("k")).await.unwrap(), [ours.public_key()]);
    assert_eq!(audit_key(db, &master("k")).await.unwrap().kid(), ours.kid());
}

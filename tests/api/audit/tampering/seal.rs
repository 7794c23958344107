//! The seal of an event and the signature of a statement, computed independently from their documentation.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::{DateTime, SecondsFormat, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// JSON without blanks, its names sorted (RFC 8785). For flat objects of texts and whole numbers.
fn canonical(object: &Value) -> String {
    let sorted: BTreeMap<_, _> = object.as_object().unwrap().iter().collect();
    serde_json::to_string(&sorted).unwrap()
}

fn instant(value: &Value) -> Value {
    let instant: DateTime<Utc> = value.as_str().unwrap().parse().unwrap();
    instant.to_rfc3339_opts(SecondsFormat::Micros, true).into()
}

/// The hash of an event, given its columns, when it is number `seq` after the one with the hash `before`.
pub(super) fn hash(event: &Value, seq: i64, before: &str) -> String {
    let mut covered = event.clone();
    covered.as_object_mut().unwrap().retain(|column, _| !["prev_hash", "hash"].contains(&&**column));
    covered["seq"] = seq.into();
    covered["occurred_at"] = instant(&event["occurred_at"]);
    hex(&Sha256::digest([before, &canonical(&covered)].concat()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key that the program knows nothing of.
pub(super) fn foreign_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Its signature of what is stated: kind, organization, number, hash and time.
pub(super) fn signature(stated: &Value) -> String {
    let mut covered = stated.clone();
    covered["time"] = instant(&stated["time"]);
    let message = format!("insula audit statement 1\n{}", canonical(&covered));
    BASE64.encode(foreign_key().sign(message.as_bytes()).to_bytes())
}

#[test]
fn names_are_sorted_and_nothing_is_between_them() {
    assert_eq!(canonical(&json!({ "b": 1, "a": null, "c": "\"" })), r#"{"a":null,"b":1,"c":"\""}"#);
}

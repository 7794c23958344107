//! Keyset pages: stable while rows are added, as cheap on page 1,000 as on page 1. Never an offset.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::base::{
    crypto::{KeyPurpose, MacKey, MasterKey},
    error::{Error, ErrorCode, Result},
};

/// The key a list is ordered by: a column and a direction. The id breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort<K> {
    /// Which of the list's keys.
    pub key: K,
    /// From the last to the first.
    pub descending: bool,
}

/// The value of the sort key in one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortValue {
    /// Of a text column; compared byte by byte.
    Text(String),
    /// Of a column of instants.
    Instant(DateTime<Utc>),
    /// Of a column of numbers.
    Number(i64),
    /// Of a row that has none.
    Null,
}

/// The place after which a page starts: the last row of the page before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorPosition {
    /// Its sort key.
    #[serde(rename = "l")]
    pub key: SortValue,
    /// Its id.
    #[serde(rename = "i")]
    pub id: Uuid,
}

/// Which part of a list is wanted, and in which order.
#[derive(Clone, Debug)]
pub struct PageRequest<K> {
    /// How many rows: 1..=100.
    pub limit: u64,
    /// In which order.
    pub sort: Sort<K>,
    /// From where on; `None`: from the start.
    pub after: Option<CursorPosition>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, at most as many as asked for.
    pub data: Vec<T>,
    /// Where the next page starts; `None`: this is the last one.
    pub next: Option<CursorPosition>,
}

/// Bytes that authenticate a cursor.
const TAG: usize = 8;

/// Turns places into opaque cursors and back; a cursor nobody can forge, and nobody can use on another list.
#[derive(Clone)]
pub struct CursorCodec(MacKey<TAG>);

#[derive(Serialize, Deserialize)]
struct Cursor {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "s")]
    list: String,
    #[serde(flatten)]
    after: CursorPosition,
}

impl CursorCodec {
    const VERSION: u8 = 1;

    /// With the key derived for cursors.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Cursor))
    }

    /// Base64url of the place and its 8-byte tag. `list`: everything that makes the list this one, its operation, sort and filters.
    pub fn encode(&self, list: &str, after: &CursorPosition) -> String {
        let cursor = Cursor { version: Self::VERSION, list: fingerprint(list), after: after.clone() };
        let mut bytes = serde_json::to_vec(&cursor).unwrap_or_default();
        bytes.extend(self.0.tag(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// `INVALID_CURSOR` when it was not made by [`Cursors::encode`] for the same `list`.
    pub fn decode(&self, list: &str, cursor: &str) -> Result<CursorPosition> {
        self.read(list, cursor).ok_or(Error::Refused(ErrorCode::InvalidCursor))
    }

    fn read(&self, list: &str, cursor: &str) -> Option<CursorPosition> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (json, tag) = bytes.split_at(bytes.len().checked_sub(TAG)?);
        let cursor: Cursor = self.0.verify(json, tag).then(|| serde_json::from_slice(json).ok())??;
        (cursor.version == Self::VERSION && cursor.list == fingerprint(list)).then_some(cursor.after)
    }
}

fn fingerprint(list: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(list)[..9])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors(key: char) -> CursorCodec {
        CursorCodec::new(&MasterKey::new(key.to_string().repeat(32)))
    }

    fn place() -> CursorPosition {
        CursorPosition { key: SortValue::Text("Zoë".into()), id: Uuid::from_u128(7) }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_on_its_list_alone() {
        let cursor = cursors('k').encode("listProjects name", &place());
        assert_eq!(cursors('k').decode("listProjects name", &cursor).unwrap(), place());
        for (key, list) in [('k', "listProjects -name"), ('x', "listProjects name")] {
            assert_eq!(cursors(key).decode(list, &cursor).unwrap_err().code(), ErrorCode::InvalidCursor);
        }
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_cursor(text in "\\PC{0,80}") {
            prop_assert!(cursors('k').decode("list", &text).is_err());
        }

        #[test]
        fn an_altered_cursor_is_none(at in 0usize..200, with in "[A-Za-z0-9_-]") {
            let good = cursors('k').encode("list", &place());
            let at = at % good.len();
            let altered = format!("{}{with}{}", &good[..at], &good[at + 1..]);
            // The last character carries unused bits, which the decoder refuses; all others are covered by the tag.
            prop_assert!(altered == good || cursors('k').decode("list", &altered).is_err());
        }
    }
}

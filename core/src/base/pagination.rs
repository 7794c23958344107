//! Keyset pagination. Pages are stable while rows are added, and page 1,000 is as cheap as page 1. Offsets are never
//! used.

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
    /// One of the keys of the list.
    pub key: K,
    /// From the largest value to the smallest.
    pub descending: bool,
}

/// The value of the sort key in one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortValue {
    /// The value of a text column, compared byte by byte.
    Text(String),
    /// The value of a column of instants.
    Instant(DateTime<Utc>),
    /// The value of a column of numbers.
    Number(i64),
    /// The row has no value.
    Null,
}

/// The position after which a page starts: the last row of the previous page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorPosition {
    /// The sort key of that row.
    #[serde(rename = "l")]
    pub key: SortValue,
    /// The id of that row.
    #[serde(rename = "i")]
    pub id: Uuid,
}

/// The requested part of a list, and its order.
#[derive(Clone, Debug)]
pub struct PageRequest<K> {
    /// Maximum number of rows: 1..=100.
    pub limit: u64,
    /// Sort order of the list.
    pub sort: Sort<K>,
    /// Where the page starts; `None` for the first page.
    pub after: Option<CursorPosition>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, at most as many as requested.
    pub data: Vec<T>,
    /// Where the next page starts; `None` if this is the last page.
    pub next: Option<CursorPosition>,
}

/// Length of the tag that authenticates a cursor, in bytes.
const TAG: usize = 8;

/// Converts positions to opaque cursors and back. Cursors cannot be forged, or used with another list.
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

    /// A codec with the key derived for cursors.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Cursor))
    }

    /// Base64url of the position and its 8-byte tag. `list` identifies the list: its operation, sort order and filters.
    pub fn encode(&self, list: &str, after: &CursorPosition) -> String {
        let cursor = Cursor { version: Self::VERSION, list: fingerprint(list), after: after.clone() };
        let mut bytes = serde_json::to_vec(&cursor).unwrap_or_default();
        bytes.extend(self.0.tag(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// `INVALID_CURSOR` if [`CursorCodec::encode`] did not create it for the same `list`.
    pub fn decode(&self, list: &str, cursor: &str) -> Result<CursorPosition> {
        self.try_decode(list, cursor).ok_or(Error::Refused(ErrorCode::InvalidCursor))
    }

    fn try_decode(&self, list: &str, cursor: &str) -> Option<CursorPosition> {
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

    fn position() -> CursorPosition {
        CursorPosition { key: SortValue::Text("Zoë".into()), id: Uuid::from_u128(7) }
    }

    #[test]
    fn a_cursor_decodes_to_its_position_in_its_own_list_only() {
        let cursor = cursors('k').encode("listProjects name", &position());
        assert_eq!(cursors('k').decode("listProjects name", &cursor).unwrap(), position());
        for (key, list) in [('k', "listProjects -name"), ('x', "listProjects name")] {
            assert_eq!(cursors(key).decode(list, &cursor).unwrap_err().code(), ErrorCode::InvalidCursor);
        }
    }

    proptest! {
        #[test]
        fn other_texts_are_not_cursors(text in "\\PC{0,80}") {
            prop_assert!(cursors('k').decode("list", &text).is_err());
        }

        #[test]
        fn an_altered_cursor_is_refused(at in 0usize..200, with in "[A-Za-z0-9_-]") {
            let cursor = cursors('k').encode("list", &position());
            let at = at % cursor.len();
            let altered = format!("{}{with}{}", &cursor[..at], &cursor[at + 1..]);
            // The decoder refuses the unused bits of the last character. The tag covers all other characters.
            prop_assert!(altered == cursor || cursors('k').decode("list", &altered).is_err());
        }
    }
}

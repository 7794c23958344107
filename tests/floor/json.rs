//! Writes JSON into a buffer, without values in between.

use std::io::Write;

use chrono::{DateTime, Datelike, Timelike, Utc};
use uuid::Uuid;

/// An object that is being written.
pub(crate) struct JsonObject<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> JsonObject<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Something that has the same form in JSON: a number, a boolean, `null`.
    pub(crate) fn plain(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        drop(write!(self.name(name), "{value}"));
        self
    }

    pub(crate) fn text(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        let out = self.name(name);
        // A buffer does not fail.
        drop(serde_json::to_writer(out, &value));
        self
    }

    pub(crate) fn id(&mut self, name: &str, value: Option<Uuid>) -> &mut Self {
        let out = self.name(name);
        match value {
            Some(value) => push_id(out, value),
            None => out.extend_from_slice(b"null"),
        }
        self
    }

    pub(crate) fn ids(&mut self, name: &str, values: &[Uuid]) -> &mut Self {
        let out = self.name(name);
        out.push(b'[');
        for (number, value) in values.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            push_id(out, *value);
        }
        out.push(b']');
        self
    }

    pub(crate) fn instant(&mut self, name: &str, value: Option<DateTime<Utc>>) -> &mut Self {
        let out = self.name(name);
        match value {
            Some(value) => push_instant(out, value),
            None => out.extend_from_slice(b"null"),
        }
        self
    }
}

fn push_id(out: &mut Vec<u8>, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    out.push(b'"');
    out.extend_from_slice(id.as_hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}

/// RFC 3339 in UTC, with microseconds unless they are zero.
fn push_instant(out: &mut Vec<u8>, instant: DateTime<Utc>) {
    out.push(b'"');
    push_digits(out, instant.year().unsigned_abs(), 4);
    for (mark, number) in [
        (b'-', instant.month()),
        (b'-', instant.day()),
        (b'T', instant.hour()),
        (b':', instant.minute()),
        (b':', instant.second()),
    ] {
        out.push(mark);
        push_digits(out, number, 2);
    }
    if instant.nanosecond() > 0 {
        out.push(b'.');
        push_digits(out, instant.nanosecond() / 1000, 6);
    }
    out.extend_from_slice(b"Z\"");
}

fn push_digits(out: &mut Vec<u8>, number: u32, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

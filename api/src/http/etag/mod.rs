//! Conditional requests (RFC 9110 §13): a version is a strong entity tag, `"7"`.
//!
//! Proxies that compress a response change its tag: nginx makes it weak, `W/"7"`, and others append the name
//! of the coding, `"7-gzip"`. Clients return the tag that they received, so both forms are accepted. This is
//! safe, because the version itself is compared exactly, in the transaction that changes it.

use std::fmt;

use insula_core::{
    base::error::{Error, ErrorCode},
    storage::db::ExpectedVersion,
};
use poem::http::HeaderValue;
use poem_openapi::{registry::MetaSchema, types::ParseError};

use crate::schema::scalar;

/// The version of a resource, as in its `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag(pub i64);

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// The versions of a member and of their user: a change of either changes the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberTag(pub i64, pub i64);

impl fmt::Display for MemberTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}.{}\"", self.0, self.1)
    }
}

/// The value of the `ETag` header.
pub(super) fn header(tag: &impl fmt::Display) -> HeaderValue {
    // A header value can contain digits, dots and quotes.
    HeaderValue::from_str(&tag.to_string()).unwrap_or(HeaderValue::from_static(""))
}

/// The condition that the current version is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Tags);

impl IfMatch {
    /// The versions that the client expects.
    pub fn expected(condition: Option<Self>) -> ExpectedVersion {
        Self::of(condition, number)
    }

    /// The versions of a member and of their user that the client expects.
    pub fn expected_member(condition: Option<Self>) -> ExpectedVersion<(i64, i64)> {
        Self::of(condition, |tag| {
            let (member, user) = tag.split_once('.')?;
            Some((number(member)?, number(user)?))
        })
    }

    /// Like [`IfMatch::expected`], but the client must send the version (RFC 6585 §3).
    ///
    /// # Errors
    /// `PRECONDITION_REQUIRED` without it.
    pub fn required(condition: Option<Self>) -> Result<ExpectedVersion, Error> {
        match condition {
            Some(_) => Ok(Self::expected(condition)),
            None => Err(ErrorCode::PreconditionRequired.refuse()),
        }
    }

    /// Reads the versions from the tags. A tag of unknown form is skipped, because no version has it.
    fn of<V>(condition: Option<Self>, read: impl Fn(&str) -> Option<V>) -> ExpectedVersion<V> {
        match condition {
            None | Some(Self(Tags::Any)) => ExpectedVersion::Any,
            Some(Self(Tags::These(tags))) => {
                ExpectedVersion::OneOf(tags.iter().filter_map(|tag| read(tag)).collect())
            }
        }
    }
}

/// The condition that the client does not have the current version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfNoneMatch(Tags);

impl IfNoneMatch {
    /// Parses the header; anything that is not an entity tag is skipped.
    pub fn read(text: &str) -> Self {
        Self(match text.trim() {
            "*" => Tags::Any,
            list => Tags::These(list.split(',').filter_map(|tag| opaque(tag.trim())).collect()),
        })
    }

    /// Whether the client has this version. Tags are compared weakly (RFC 9110 §13.1.2).
    pub fn has(&self, tag: &impl fmt::Display) -> bool {
        match &self.0 {
            Tags::Any => true,
            Tags::These(tags) => {
                let present = tag.to_string();
                tags.iter().any(|known| *known == present.trim_matches('"'))
            }
        }
    }
}

/// The tags of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: any version.
    Any,
    /// The opaque part of each tag, in the form that we send.
    These(Vec<String>),
}

impl Tags {
    /// `*`, or a list of entity tags, in which elements may be empty (RFC 9110 §5.6.1, §8.8.3).
    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text.trim_start_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            let quoted = rest.strip_prefix("W/").unwrap_or(rest);
            let end = quoted.strip_prefix('"')?.find('"')? + 2;
            tags.push(opaque(&quoted[..end])?);
            let after = quoted[end..].trim_start_matches([' ', '\t']);
            if !after.is_empty() && !after.starts_with(',') {
                return None;
            }
            rest = after.trim_start_matches([' ', '\t', ',']);
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }
}

/// The text between the quotes of a tag, without the changes of a proxy; `None` if it is not a tag.
fn opaque(tag: &str) -> Option<String> {
    let strong = tag.strip_prefix("W/").unwrap_or(tag);
    let opaque = strong.strip_prefix('"')?.strip_suffix('"')?;
    (!opaque.contains('"')).then(|| without_coding(opaque).to_owned())
}

/// Removes the coding that a proxy appended: `7-gzip` and `7-br` (Apache), `7--gzip` (Jetty), `7;gzip`.
fn without_coding(opaque: &str) -> &str {
    let coded = ["gzip", "br", "zstd", "deflate"].iter().find_map(|coding| opaque.strip_suffix(coding));
    let plain = coded.and_then(|coded| ["--", "-", ";"].iter().find_map(|mark| coded.strip_suffix(mark)));
    plain.unwrap_or(opaque)
}

/// A version in exactly the form that we send, because tags are compared octet by octet (RFC 9110 §8.8.3.2).
fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| *number >= 0 && number.to_string() == text)
}

fn tag() -> MetaSchema {
    MetaSchema { example: Some("\"7\"".into()), ..MetaSchema::new("string") }
}

/// The schema of `*` or a list of entity tags.
fn tags() -> MetaSchema {
    let pattern = "^(\\*|(W/)?\"[^\"]*\"( *, *(W/)?\"[^\"]*\")*)$";
    MetaSchema { pattern: Some(pattern.to_owned()), ..tag() }
}

scalar!(IfMatch, tags(), |text| {
    Tags::parse(text).map(Self).ok_or_else(|| ParseError::custom("expected an entity tag in quotes, or *"))
});

scalar!(IfNoneMatch, tag(), |text| Ok(Self::read(text)));

#[cfg(test)]
mod tests;

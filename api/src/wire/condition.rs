//! Conditional requests (RFC 9110 §13): a version is a strong entity tag, `"7"`.

use std::fmt;

use poem::http::HeaderValue;
use poem_openapi::{registry::MetaSchema, types::ParseError};

use crate::strict::scalar;

/// The version of a resource, as `ETag` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag(pub i64);

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl From<EntityTag> for HeaderValue {
    fn from(tag: EntityTag) -> Self {
        // Digits and quotes are always a header's value.
        Self::from_str(&tag.to_string()).unwrap_or(Self::from_static(""))
    }
}

/// Only if the present version is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<i64>);

impl IfMatch {
    /// The version the client expects; `None`: whichever there is (`*`).
    pub fn expected(self) -> Option<i64> {
        self.0
    }
}

/// Only if the client does not have the present version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Does the client have this version? Compared weakly (RFC 9110 §13.1.2).
    pub fn has(&self, tag: EntityTag) -> bool {
        let tag = tag.to_string();
        self.0.iter().any(|known| known == "*" || *known == tag)
    }
}

fn tag() -> MetaSchema {
    MetaSchema { example: Some("\"7\"".into()), ..MetaSchema::new("string") }
}

scalar!(IfMatch, tag(), |text| match text.trim() {
    "*" => Ok(Self(None)),
    tag => {
        let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let version = version.and_then(|version| version.parse().ok());
        // A list, or a tag that is none of ours: it cannot be the present one, and guessing would lose a change.
        version
            .map(|version| Self(Some(version)))
            .ok_or_else(|| ParseError::custom("expected one entity tag"))
    }
});

scalar!(IfNoneMatch, tag(), |text| {
    let tags = text.split(',').map(|tag| tag.trim().trim_start_matches("W/").to_owned());
    Ok(Self(tags.collect()))
});

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromParameter;

    use super::*;

    #[test]
    fn if_match() {
        let parse = |text| IfMatch::parse_from_parameter(text).ok().map(IfMatch::expected);
        assert_eq!(parse("\"7\""), Some(Some(7)));
        assert_eq!(parse(" * "), Some(None));
        for bad in ["7", "W/\"7\"", "\"a\"", "\"1\", \"2\"", ""] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn if_none_match() {
        let has = |text| IfNoneMatch::parse_from_parameter(text).unwrap().has(EntityTag(7));
        assert!(has("\"7\"") && has("W/\"7\"") && has("\"1\", \"7\"") && has("*"));
        assert!(!has("\"8\"") && !has("7") && !has(""));
    }
}

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

/// The version of nothing: the first one is 1.
const NEVER: i64 = 0;

scalar!(IfMatch, tag(), |text| match text.trim() {
    "*" => Ok(Self(None)),
    tag => {
        let strong = tag.strip_prefix("W/").unwrap_or(tag);
        let opaque = strong.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        // A list is refused: to guess which one is meant could lose a change.
        let opaque = opaque.filter(|opaque| !opaque.contains('"'));
        let opaque = opaque.ok_or_else(|| ParseError::custom("expected one entity tag"))?;
        // A weak tag, or one that is none of ours, is never the present one (RFC 9110 §13.1.1).
        let version = opaque.parse().ok().filter(|_| strong == tag);
        Ok(Self(Some(version.unwrap_or(NEVER))))
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
        for never in ["W/\"7\"", "\"a\"", "\"\""] {
            assert_eq!(parse(never), Some(Some(NEVER)), "{never}");
        }
        for bad in ["7", "\"1\", \"2\"", "", "\""] {
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

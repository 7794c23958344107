//! Conditional requests (RFC 9110 §13): a version is a strong entity tag, `"7"`.

use std::fmt;

use insula_core::error::{Code, Error};
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

/// The versions of a member and of his person: either changes what is shown of him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberTag(pub i64, pub i64);

impl fmt::Display for MemberTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}.{}\"", self.0, self.1)
    }
}

/// As the header `ETag` says it.
pub(super) fn header(tag: &impl fmt::Display) -> HeaderValue {
    // Digits, dots and quotes are always a header's value.
    HeaderValue::from_str(&tag.to_string()).unwrap_or(HeaderValue::from_static(""))
}

/// Only if the present version is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// The version the client expects; `None`: whichever there is (`*`).
    pub fn expected(self) -> Option<i64> {
        self.0.map(|tag| tag.parse().unwrap_or(NEVER))
    }

    /// The versions of a member and of his person that the client expects; `None`: whichever there are (`*`).
    pub fn expected_member(self) -> Option<(i64, i64)> {
        let parse = |tag: String| {
            let (member, user) = tag.split_once('.')?;
            Some((member.parse().ok()?, user.parse().ok()?))
        };
        self.0.map(|tag| parse(tag).unwrap_or((NEVER, NEVER)))
    }

    /// As [`IfMatch::expected`], where the client must say which copy he is changing (RFC 6585 §3).
    ///
    /// # Errors
    /// `PRECONDITION_REQUIRED` where he does not.
    pub fn required(expected: Option<Self>) -> Result<Option<i64>, Error> {
        expected.map(Self::expected).ok_or(Code::PreconditionRequired.refuse())
    }
}

/// Only if the client does not have the present version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Does the client have this version? Compared weakly (RFC 9110 §13.1.2).
    pub fn has(&self, tag: &impl fmt::Display) -> bool {
        let tag = tag.to_string();
        self.0.iter().any(|known| known == "*" || *known == tag)
    }
}

fn tag() -> MetaSchema {
    MetaSchema { example: Some("\"7\"".into()), ..MetaSchema::new("string") }
}

/// The version of nothing: the first one is 1.
const NEVER: i64 = 0;

/// `*`, or one entity tag.
fn one_tag() -> MetaSchema {
    MetaSchema { pattern: Some("^(\\*|(W/)?\"[^\"]*\")$".to_owned()), ..tag() }
}

scalar!(IfMatch, one_tag(), |text| match text.trim() {
    "*" => Ok(Self(None)),
    tag => {
        let strong = tag.strip_prefix("W/").unwrap_or(tag);
        let opaque = strong.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        // A list is refused: to guess which one is meant could lose a change.
        let opaque = opaque.filter(|opaque| !opaque.contains('"'));
        let opaque = opaque.ok_or_else(|| ParseError::custom("expected one entity tag"))?;
        // A weak tag, or one that is none of ours, is never the present one (RFC 9110 §13.1.1).
        Ok(Self(Some(if strong == tag { opaque.to_owned() } else { String::new() })))
    }
});

scalar!(IfNoneMatch, tag(), |text| {
    let tags = text.split(',').map(|tag| tag.trim().trim_start_matches("W/").to_owned());
    Ok(Self(tags.collect()))
});

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromParameter;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn if_match() {
        let parse = |text| IfMatch::parse_from_parameter(text).ok().map(IfMatch::expected);
        assert_eq!(parse("\"7\""), Some(Some(7)));
        assert_eq!(parse(" * "), Some(None));
        let member = |text| IfMatch::parse_from_parameter(text).ok().map(IfMatch::expected_member);
        assert_eq!(member("\"7.2\""), Some(Some((7, 2))));
        assert_eq!((member("*"), member("\"7\"")), (Some(None), Some(Some((NEVER, NEVER)))));
        for never in ["W/\"7\"", "\"a\"", "\"\""] {
            assert_eq!(parse(never), Some(Some(NEVER)), "{never}");
        }
        for bad in ["7", "\"1\", \"2\"", "", "\""] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn if_none_match() {
        let has = |text| IfNoneMatch::parse_from_parameter(text).unwrap().has(&EntityTag(7));
        assert!(has("\"7\"") && has("W/\"7\"") && has("\"1\", \"7\"") && has("*"));
        assert!(!has("\"8\"") && !has("7") && !has(""));
    }
    proptest! {
        #[test]
        fn a_tag_is_read_as_it_was_shown(version in 1i64.., user in 1i64.., other in 1i64..) {
            let (tag, member) = (EntityTag(version), MemberTag(version, user));
            let read = |text: &str| IfMatch::parse_from_parameter(text).unwrap();
            prop_assert_eq!(read(&tag.to_string()).expected(), Some(version));
            prop_assert_eq!(read(&member.to_string()).expected_member(), Some((version, user)));
            let list = format!("{}, W/{tag},{member}", EntityTag(other));
            let known = IfNoneMatch::parse_from_parameter(&list).unwrap();
            prop_assert!(known.has(&tag) && known.has(&member) && known.has(&EntityTag(other)));
        }

        #[test]
        fn no_other_text_is_the_present_tag(
            text in prop_oneof![any::<String>(), "[*\"W/ ,0-9.+-]{0,12}", "\"[0-9.+ -]{0,22}\""],
            version in 1i64..1000,
        ) {
            if let Ok(tag) = IfMatch::parse_from_parameter(&text)
                && text.trim() != "*"
            {
                let is_it = text.trim() == EntityTag(version).to_string();
                prop_assert_eq!(tag.clone().expected() == Some(version), is_it);
                prop_assert!(tag.expected().is_some());
            }
            if let Ok(known) = IfNoneMatch::parse_from_parameter(&text) {
                prop_assert!(!known.has(&EntityTag(version)) || text.contains(&version.to_string()) || text.contains('*'));
            }
        }
    }
}

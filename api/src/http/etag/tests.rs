use poem_openapi::types::ParseFromParameter;
use proptest::prelude::*;

use super::*;

fn expected(text: &str) -> Option<ExpectedVersion> {
    IfMatch::parse_from_parameter(text).ok().map(|condition| IfMatch::expected(Some(condition)))
}

fn expected_member(text: &str) -> Option<ExpectedVersion<(i64, i64)>> {
    IfMatch::parse_from_parameter(text).ok().map(|condition| IfMatch::expected_member(Some(condition)))
}

/// Forms that proxies make of `7`.
const SEVEN: [&str; 12] = [
    "\"7\"",
    " \"7\"\t",
    "W/\"7\"",
    "\"7-gzip\"",
    "W/\"7-gzip\"",
    "\"7--gzip\"",
    "\"7;gzip\"",
    "\"7-br\"",
    "\"7;br\"",
    "\"7-zstd\"",
    "\"7-deflate\"",
    ",, \"7\" ,",
];

/// Tags that we never send.
const FOREIGN: [&str; 19] = [
    "\"+7\"",
    "\"07\"",
    "\"007\"",
    "\"-7\"",
    "\" 7\"",
    "\"7 \"",
    "\"7.0\"",
    "\"7e0\"",
    "\"٧\"",
    "\"7gzip\"",
    "\"7-\"",
    "\"7-x\"",
    "\"7-gzip-x\"",
    "\"7-gzip-gzip\"",
    "\"gzip\"",
    "\"-gzip\"",
    "\"9223372036854775808\"",
    "\"a\"",
    "\"\"",
];

#[test]
fn if_match() {
    assert_eq!(IfMatch::expected(None), ExpectedVersion::Any);
    assert!(IfMatch::required(None).is_err());
    assert_eq!(expected(" * "), Some(ExpectedVersion::Any));
    for seven in SEVEN {
        assert_eq!(expected(seven), Some(ExpectedVersion::OneOf(vec![7])), "{seven}");
    }
    for foreign in FOREIGN {
        assert_eq!(expected(foreign), Some(ExpectedVersion::OneOf(vec![])), "{foreign}");
        let among = format!("{foreign}, \"8\"");
        assert_eq!(expected(&among), Some(ExpectedVersion::OneOf(vec![8])), "{among}");
    }
    assert_eq!(expected("\"1\", W/\"2-gzip\",\"x,y\" , \"3\""), Some(ExpectedVersion::OneOf(vec![1, 2, 3])));
    for bad in [
        "7",
        "w/\"7\"",
        "\"1\" \"2\"",
        "\"1\"\"2\"",
        "\"1\", 2",
        "\"1\", *",
        "*, \"1\"",
        "",
        ",",
        "\"",
        "W/",
        "W/7",
    ] {
        assert_eq!(expected(bad), None, "{bad}");
    }
}

#[test]
fn if_match_of_a_member() {
    let both = |member, user| Some(ExpectedVersion::OneOf(vec![(member, user)]));
    assert_eq!(expected_member("*"), Some(ExpectedVersion::Any));
    for tag in ["\"7.2\"", "W/\"7.2\"", "\"7.2-gzip\"", "\"7.2;br\""] {
        assert_eq!(expected_member(tag), both(7, 2), "{tag}");
    }
    for foreign in ["\"7\"", "\"7.\"", "\".2\"", "\"7.02\"", "\"+7.2\"", "\"7.2.1\""] {
        assert_eq!(expected_member(foreign), Some(ExpectedVersion::OneOf(vec![])), "{foreign}");
    }
}

#[test]
fn if_none_match() {
    let has = |text: &str| IfNoneMatch::parse_from_parameter(text).unwrap().has(&EntityTag(7));
    for seven in SEVEN {
        assert!(has(seven), "{seven}");
    }
    for foreign in FOREIGN {
        assert!(!has(foreign), "{foreign}");
    }
    assert!(has("\"1\", \"7\"") && has("*") && has("junk, \"7\""));
    assert!(!has("\"8\"") && !has("7") && !has("") && !has("\"*\""));
}

proptest! {
    #[test]
    fn a_sent_tag_matches(version in 1i64.., user in 1i64.., other in 1i64..) {
        let (tag, member) = (EntityTag(version), MemberTag(version, user));
        prop_assert_eq!(expected(&tag.to_string()), Some(ExpectedVersion::OneOf(vec![version])));
        prop_assert_eq!(expected_member(&member.to_string()), Some(ExpectedVersion::OneOf(vec![(version, user)])));
        let list = format!("{}, W/{tag},{member}", EntityTag(other));
        prop_assert_eq!(expected(&list), Some(ExpectedVersion::OneOf(vec![other, version])));
        let known = IfNoneMatch::parse_from_parameter(&list).unwrap();
        prop_assert!(known.has(&tag) && known.has(&member) && known.has(&EntityTag(other)));
    }

    #[test]
    fn no_other_text_matches(
        text in prop_oneof![any::<String>(), "[*\"W/ ,0-9.+-]{0,12}", "\"[0-9.+ -]{0,22}\""],
        version in 1i64..1000,
    ) {
        if let Some(ExpectedVersion::OneOf(versions)) = expected(&text) {
            let is_shown = text.contains(&EntityTag(version).to_string());
            prop_assert!(!versions.contains(&version) || is_shown);
        }
        let known = IfNoneMatch::read(&text);
        prop_assert!(!known.has(&EntityTag(version)) || text.contains(&version.to_string()) || text.contains('*'));
    }
}

//! Titles, descriptions and tags of tasks.

use super::{InvalidText, key, multi_line, single_line};

/// The name of a tag: trimmed, NFC, 1..=50 characters, no control characters; unique regardless of case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagName(pub(super) String);

impl TagName {
    /// Maximum length, in characters.
    pub const MAX: usize = 50;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 1..=Self::MAX).map(Self)
    }

    /// The canonical form, which must be unique.
    pub fn key(&self) -> String {
        key(&self.0)
    }
}

/// The title of a task: trimmed, NFC, 1..=200 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTitle(pub(super) String);

impl TaskTitle {
    /// Maximum length, in characters.
    pub const MAX: usize = 200;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 1..=Self::MAX).map(Self)
    }
}

/// The description of a task: trimmed, NFC, 1..=10,000 characters; line breaks and tabs are its only control
/// characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDescription(pub(super) String);

impl TaskDescription {
    /// Maximum length, in characters.
    pub const MAX: usize = 10_000;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        multi_line(text, 1..=Self::MAX).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_names_are_trimmed_and_compared_regardless_of_case() {
        let name = |text: &str| TagName::parse(text).unwrap();
        assert_eq!(name("  Zoe\u{308} ").0, "Zoë");
        assert_eq!(name("ＵRGENT").key(), name("urgent").key());
        for (bad, code) in [
            ("", "TOO_SHORT"),
            (" ", "TOO_SHORT"),
            ("a\nb", "INVALID_FORMAT"),
            (&*"a".repeat(51), "TOO_LONG"),
        ] {
            assert_eq!(TagName::parse(bad).unwrap_err().code, code, "{bad:?}");
        }
    }

    #[test]
    fn a_title_has_one_line_and_a_description_several() {
        assert_eq!(TaskTitle::parse(" Oil it ").unwrap().0, "Oil it");
        assert_eq!(TaskTitle::parse("a\nb").unwrap_err().code, "INVALID_FORMAT");
        assert_eq!(TaskTitle::parse(&"ä".repeat(201)).unwrap_err().code, "TOO_LONG");
        assert_eq!(TaskDescription::parse("\n a\r\n\tb \n").unwrap().0, "a\r\n\tb");
        assert_eq!(TaskDescription::parse("a\u{7}").unwrap_err().code, "INVALID_FORMAT");
        assert_eq!(TaskDescription::parse(" \n").unwrap_err().code, "TOO_SHORT");
        assert_eq!(TaskDescription::parse(&"a".repeat(10_001)).unwrap_err().code, "TOO_LONG");
    }
}

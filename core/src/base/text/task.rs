//! What is written of tasks: their titles, what is told of them, and their tags.

use super::{InvalidText, key, multi_line, single_line};

/// The name of a tag: trimmed, NFC, 1..=50 characters, no control characters; unique without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagName(pub(super) String);

impl TagName {
    /// Longest name, in characters.
    pub const MAX: usize = 50;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 1..=Self::MAX).map(Self)
    }

    /// What uniqueness is judged by.
    pub fn key(&self) -> String {
        key(&self.0)
    }
}

/// What is to be done, in a line: trimmed, NFC, 1..=200 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTitle(pub(super) String);

impl TaskTitle {
    /// Longest title, in characters.
    pub const MAX: usize = 200;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 1..=Self::MAX).map(Self)
    }
}

/// More about a task: trimmed, NFC, 1..=10,000 characters; of control characters it may have line breaks and tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDescription(pub(super) String);

impl TaskDescription {
    /// Longest description, in characters.
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
    fn a_tag_is_known_by_its_name_without_regard_to_case() {
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
    fn a_task_has_a_title_of_one_line_and_a_description_of_many() {
        assert_eq!(TaskTitle::parse(" Oil it ").unwrap().0, "Oil it");
        assert_eq!(TaskTitle::parse("a\nb").unwrap_err().code, "INVALID_FORMAT");
        assert_eq!(TaskTitle::parse(&"ä".repeat(201)).unwrap_err().code, "TOO_LONG");
        assert_eq!(TaskDescription::parse("\n a\r\n\tb \n").unwrap().0, "a\r\n\tb");
        assert_eq!(TaskDescription::parse("a\u{7}").unwrap_err().code, "INVALID_FORMAT");
        assert_eq!(TaskDescription::parse(" \n").unwrap_err().code, "TOO_SHORT");
        assert_eq!(TaskDescription::parse(&"a".repeat(10_001)).unwrap_err().code, "TOO_LONG");
    }
}

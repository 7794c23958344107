//! Activities and notes of time entries.

use super::{InvalidText, multi_line, single_line};

/// The kind of work: trimmed, NFC, 1..=100 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity(String);

impl Activity {
    /// Maximum length, in characters.
    pub const MAX: usize = 100;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 1..=Self::MAX).map(Self)
    }
}

/// What was done: trimmed, NFC, 1..=2000 characters in one or more lines; line breaks and tabs are its only control
/// characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes(String);

impl Notes {
    /// Maximum length, in characters.
    pub const MAX: usize = 2000;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        multi_line(text, 1..=Self::MAX).map(Self)
    }
}

impl From<Activity> for String {
    fn from(activity: Activity) -> Self {
        activity.0
    }
}

impl From<Notes> for String {
    fn from(notes: Notes) -> Self {
        notes.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_several_lines_and_activities_have_one() {
        assert_eq!(String::from(Notes::parse(" one\n\ttwo ").unwrap()), "one\n\ttwo");
        assert_eq!(Notes::parse("a\u{7}").unwrap_err().code, "INVALID_FORMAT");
        assert_eq!(Notes::parse(&"a".repeat(2001)).unwrap_err().code, "TOO_LONG");
        assert_eq!(String::from(Activity::parse(" Design ").unwrap()), "Design");
        assert_eq!(Activity::parse("a\nb").unwrap_err().code, "INVALID_FORMAT");
        assert_eq!(Activity::parse(" ").unwrap_err().code, "TOO_SHORT");
    }
}

//! The reason that a superuser gives for access to an organization.

use super::{InvalidText, length, single_line};

/// Why a superuser accesses an organization: 3..=200 characters, trimmed, no invisible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Justification(String);

impl Justification {
    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line::without_controls(text)?;
        single_line::refuse_invisible(text)?;
        let text = text.trim();
        length(text, 3..=200)?;
        Ok(Self(text.to_owned()))
    }
}

impl From<Justification> for String {
    fn from(justification: Justification) -> Self {
        justification.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_justification_is_visible_text_of_3_to_200_characters() {
        assert_eq!(String::from(Justification::parse(" ticket 7 ").unwrap()), "ticket 7");
        assert_eq!(String::from(Justification::parse("Störung №7").unwrap()), "Störung №7");
        assert_eq!(Justification::parse(" ab ").unwrap_err().code, "TOO_SHORT");
        assert_eq!(Justification::parse(&"a".repeat(201)).unwrap_err().code, "TOO_LONG");
        for hidden in ["why\u{7}not", "see\u{202e}gol", "\u{200b}\u{200b}\u{200b}", "St\u{fffd}rung"] {
            assert_eq!(Justification::parse(hidden).unwrap_err().code, "INVALID_FORMAT", "{hidden:?}");
        }
    }
}

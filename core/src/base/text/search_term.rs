//! Search terms.

use super::{InvalidText, key, length, search_key, without_controls};

/// A part of a name to search for: trimmed, 1..=100 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerm(String);

impl SearchTerm {
    /// Maximum length, in characters.
    pub const MAX: usize = 100;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        without_controls(text)?;
        let text = text.trim();
        length(text, 1..=Self::MAX)?;
        Ok(Self(key(text)))
    }

    /// The term in canonical form, to search in canonical forms.
    pub fn key(&self) -> &str {
        &self.0
    }

    /// The term without accents, to search in search keys. A term of accents alone keeps them, and finds nothing.
    pub(crate) fn search_key(&self) -> String {
        match search_key(&self.0) {
            folded if folded.is_empty() => self.0.clone(),
            folded => folded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_searched_in_its_canonical_form() {
        assert_eq!(SearchTerm::parse(" Ａda_% ").unwrap().key(), "ada_%");
        assert_eq!(SearchTerm::parse("LEÏLA").unwrap().search_key(), "leila");
        assert_eq!(SearchTerm::parse("\u{301}").unwrap().search_key(), "\u{301}");
        assert_eq!(SearchTerm::parse("  ").unwrap_err().code, "TOO_SHORT");
        assert_eq!(SearchTerm::parse("a\0").unwrap_err().code, "INVALID_FORMAT");
    }
}

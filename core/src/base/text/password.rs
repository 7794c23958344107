//! Passwords.

use unicode_normalization::UnicodeNormalization;

/// The canonical spelling of a password, independent of keyboard and operating system: `OpaqueString` of RFC 8265
/// §4.2.2. Non-ASCII spaces become U+0020, and the result is NFC. Nothing is refused, trimmed or folded.
pub fn opaque(password: &str) -> String {
    password.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc().collect()
}

/// Is it a space (general category `Zs`)?
fn is_space(c: char) -> bool {
    // The other whitespace characters are controls, and the separators of lines and paragraphs.
    c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_characters_are_the_same_password() {
        for (composed, decomposed) in
            [("Gr\u{fc}\u{df}e", "Gru\u{308}\u{df}e"), ("\u{1eaf}", "a\u{306}\u{301}")]
        {
            assert_eq!(opaque(decomposed), composed);
            assert_eq!(opaque(composed), composed);
        }
        // Width and case are kept: NFC, not NFKC.
        assert_eq!(opaque("\u{ff21}\u{fb01}K"), "\u{ff21}\u{fb01}K");
    }

    #[test]
    fn all_spaces_are_equal_and_none_is_trimmed() {
        let spaces: String =
            ['\u{a0}', '\u{1680}', '\u{2003}', '\u{2009}', '\u{202f}', '\u{205f}', '\u{3000}']
                .iter()
                .collect();
        assert_eq!(opaque(&format!(" a{spaces}b ")), " a       b ");
        for kept in ["\t", "\n", "\u{85}", "\u{2028}", "\u{200b}"] {
            assert_eq!(opaque(kept), kept);
        }
    }
}

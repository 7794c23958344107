//! Texts for people, without invisible characters and without characters that change the direction of text.

use std::ops::RangeInclusive;

use super::{InvalidText, length, nfc};

/// The form of a text for people, as documented in the API: no control characters (U+0000 to U+001F, U+007F to U+009F),
/// no characters that change the direction of text, and no invisible characters.
pub const NO_CONTROLS_PATTERN: &str = r"^[^\u0000-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFD]*$";

/// Like [`NO_CONTROLS_PATTERN`], with at least one character that is not a space (`White_Space` of Unicode, written out
/// because programs disagree about `\s`).
pub const NOT_BLANK_PATTERN: &str = "^[^\\u0000-\\u001F\\u007F-\\u009F\\u00AD\\u061C\\u180E\\u200B\\u200E\\u200F\\u2028-\\u202E\\u2060-\\u206F\\uFEFF\\uFFF9-\\uFFFD]*\
    [^\\u0000-\\u0020\\u007F-\\u00A0\\u00AD\\u061C\\u1680\\u180E\\u2000-\\u200B\\u200E\\u200F\\u2028-\\u202F\\u205F-\\u206F\\u3000\\uFEFF\\uFFF9-\\uFFFD]\
    [^\\u0000-\\u001F\\u007F-\\u009F\\u00AD\\u061C\\u180E\\u200B\\u200E\\u200F\\u2028-\\u202E\\u2060-\\u206F\\uFEFF\\uFFF9-\\uFFFD]*$";

/// Parses a text of one line: trimmed, NFC, of a length in `bounds`, without control and invisible characters.
pub(super) fn single_line(text: &str, bounds: RangeInclusive<usize>) -> Result<String, InvalidText> {
    without_controls(text)?;
    refuse_invisible(text)?;
    let line = nfc(text.trim());
    length(&line, bounds)?;
    Ok(line)
}

pub(super) fn without_controls(text: &str) -> Result<(), InvalidText> {
    match text.chars().any(char::is_control) {
        true => Err(InvalidText::new("INVALID_FORMAT", "Must not contain control characters.")),
        false => Ok(()),
    }
}

/// Parses a text of several lines: like [`single_line`], but with line breaks, tabs and invisible characters.
/// Characters that override the direction of text are refused here, too (UTS 55).
pub(super) fn multi_line(text: &str, bounds: RangeInclusive<usize>) -> Result<String, InvalidText> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        let message = "Must not contain control characters other than line breaks and tabs.";
        return Err(InvalidText::new("INVALID_FORMAT", message));
    }
    if text.chars().any(overrides_direction) {
        return Err(InvalidText::new(
            "INVALID_FORMAT",
            "Must not contain characters that change the direction of text.",
        ));
    }
    let lines = nfc(text.trim());
    length(&lines, bounds)?;
    Ok(lines)
}

/// Embeddings, overrides and isolates (UAX #9). The text after them is shown in another order than it is stored.
fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters that are invisible, end a line, or replace something that was not text. Two texts that differ only by
/// them look the same (UTS 39, section 3.1).
fn is_invisible(c: char) -> bool {
    overrides_direction(c)
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFD}' | '\u{E0000}'..='\u{E007F}')
}

/// Refuses invisible characters. Joiners are allowed between letters of many scripts and inside emoji; elsewhere they
/// are invisible (RFC 5892, appendix A).
pub(super) fn refuse_invisible(text: &str) -> Result<(), InvalidText> {
    let refused = || Err(InvalidText::new("INVALID_FORMAT", "Must not contain invisible characters."));
    if text.chars().any(is_invisible) {
        return refused();
    }
    let (mut before, mut chars) = (None, text.chars().peekable());
    while let Some(c) = chars.next() {
        let joins =
            |side: Option<char>| side.is_some_and(|c| !c.is_ascii() && !c.is_whitespace() && !is_joiner(c));
        if is_joiner(c) && !(joins(before) && joins(chars.peek().copied())) {
            return refused();
        }
        before = Some(c);
    }
    Ok(())
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_invisible_characters() {
        for good in ["Ada", "Müller & Söhne", "می‌خواهم", "👩‍💻 Team", "שלום", "日本", "❤\u{FE0F}", "a\u{301}"]
        {
            assert!(single_line(good, 1..=100).is_ok(), "{good:?}");
        }
        for bad in [
            "Ow\u{200B}ner",
            "Ow\u{200D}ner",
            "\u{200D}",
            "Ada\u{202E}moc.elpmaxe",
            "a\u{2066}b",
            "\u{FEFF}Ada",
            "Ad\u{AD}a",
            "A\u{200E}",
            "A\u{2060}B",
            "A\u{E0041}B",
            "日\u{200D} 本",
            "日\u{200D}\u{200D}本",
            "a\nb",
            "a\u{7f}",
        ] {
            assert_eq!(single_line(bad, 1..=100).unwrap_err().code, "INVALID_FORMAT", "{bad:?}");
        }
    }

    #[test]
    fn several_lines_do_not_change_direction() {
        assert_eq!(multi_line(" a\n\tb\u{200F} ", 0..=100).unwrap(), "a\n\tb\u{200F}");
        for bad in ["a\u{202E}b", "a\u{2067}b", "a\0b"] {
            assert_eq!(multi_line(bad, 0..=100).unwrap_err().code, "INVALID_FORMAT", "{bad:?}");
        }
    }
}

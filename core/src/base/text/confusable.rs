//! Names that look like other names (UTS 39).

use unicode_normalization::UnicodeNormalization;
use unicode_security::{MixedScript, RestrictionLevel, RestrictionLevelDetection, skeleton};

use super::{InvalidText, key};

/// The appearance of a name. Names with the same appearance look alike, regardless of case. The result is only for
/// comparison; it is not text (UTS 39, section 4).
pub(crate) fn appearance(text: &str) -> String {
    let folded = skeleton(&text.nfkc().collect::<String>()).collect::<String>().to_lowercase();
    skeleton(&folded).filter(|c| !c.is_whitespace()).collect()
}

/// Refuses words that mix letters of similar scripts, such as Latin with Cyrillic or Greek (UTS 39, section 5.2,
/// moderately restrictive). A name may have words of several scripts.
///
/// # Errors
/// `MIXED_SCRIPTS`.
pub(super) fn refuse_mixed_scripts(text: &str) -> Result<(), InvalidText> {
    let key = key(text);
    let mut words = key.split(|c: char| !c.is_alphanumeric());
    let mixes = |word: &str| {
        !word.is_single_script() && !word.check_restriction_level(RestrictionLevel::ModeratelyRestrictive)
    };
    match words.any(mixes) {
        true => Err(InvalidText::new(
            "MIXED_SCRIPTS",
            "Must not mix letters of different alphabets within a word.",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_have_the_same_appearance() {
        for imitation in ["0wner", "OWNER", "\u{41E}wner", "\u{FF2F}wner", "Own er", "o\u{200B}wner"] {
            assert_eq!(appearance(imitation), appearance("Owner"), "{imitation:?}");
        }
        assert_eq!(appearance("Adrnin"), appearance("Admin"));
        assert_eq!(appearance("V\u{456}ewer"), appearance("Viewer"));
        for other in ["Owners", "Co-owner", "Planner", "Besitzerin"] {
            assert_ne!(appearance(other), appearance("Owner"), "{other:?}");
        }
    }

    #[test]
    fn a_word_has_letters_of_one_script() {
        for good in [
            "Acme",
            "Müller",
            "Москва",
            "Acme Москва",
            "日本語とカナ",
            "AKB48選抜",
            "Ω-Labs",
            "한국 Company",
            "שלום",
            "O'Neill",
            "Ægir",
            "Straße",
            "İstanbul",
            "a\u{301}b",
            "ｱﾆﾒ",
            "X²",
            "👩 Team",
        ] {
            assert_eq!(refuse_mixed_scripts(good), Ok(()), "{good:?}");
        }
        for bad in ["\u{410}cme", "P\u{430}yPal", "Αcme Αgentur", "Googl\u{435}"] {
            assert_eq!(refuse_mixed_scripts(bad).unwrap_err().code, "MIXED_SCRIPTS", "{bad:?}");
        }
    }
}

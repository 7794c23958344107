//! Strength rules: passwords that are too short, too common, or based on public data of the user are rejected (ASVS 5.0
//! 6.2, NIST SP 800-63B-4 §3.1.1.2). There are no rules of composition.

use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use fst::Set;

use super::Passwords;
use crate::{
    Error, Result,
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldError},
        text,
    },
};

/// Common passwords; `common.md` gives their source.
static COMMON: LazyLock<Option<Set<&[u8]>>> =
    LazyLock::new(|| Set::new(include_bytes!("common.fst").as_slice()).ok());

/// Minimum number of characters of a new password. Global to the process, like its setting.
static MIN_LENGTH: AtomicUsize = AtomicUsize::new(*Passwords::LENGTH.start());

/// Minimum characters of a word. Shorter words are in too many good passwords.
const MIN_WORD_LENGTH: usize = 3;

/// The name of the product, which is public for every account.
const PRODUCT: &str = "insula";

/// Sets a higher minimum length of new passwords than [`Passwords::LENGTH`] has (`INSULA_PASSWORD_MIN_LENGTH`). Called
/// once, at start.
pub fn set_min_length(min: usize) {
    MIN_LENGTH.store(min.max(*Passwords::LENGTH.start()), Relaxed);
}

/// Returns the minimum number of characters of a new password.
pub fn min_length() -> usize {
    MIN_LENGTH.load(Relaxed)
}

/// Rejects a new password that is easy to guess. The check uses its normalized form ([`text::opaque`]). `about`: public
/// data of the user, such as the e-mail address and the username.
///
/// # Errors
/// `WEAK_PASSWORD`, with the reason for `field`.
pub fn refuse_weak(field: &str, password: &Secret<String>, about: &[&str]) -> Result<()> {
    let Some((code, message)) = weakness(password.expose(), about, MIN_LENGTH.load(Relaxed)) else {
        return Ok(());
    };
    Err(Error::Invalid(ErrorCode::WeakPassword, vec![FieldError { field: field.to_owned(), code, message }]))
}

fn weakness(password: &str, about: &[&str], min: usize) -> Option<(&'static str, String)> {
    let (length, max) = (length(password), *Passwords::LENGTH.end());
    if length < min {
        return Some((
            "TOO_SHORT",
            format!("Must have at least {min} characters. A few random words work best."),
        ));
    }
    if length > max {
        return Some(("TOO_LONG", format!("Must have at most {max} characters.")));
    }
    let password = text::opaque(password).to_lowercase();
    if COMMON.as_ref().is_none_or(|common| common.contains(&password)) {
        return Some((
            "TOO_COMMON",
            "This is a common password. Choose another one, such as a few random words.".to_owned(),
        ));
    }
    is_based_on(&password, about).then(|| {
        let message = "Must not be based on your e-mail address, your username or the name of this product.";
        ("TOO_SIMILAR", message.to_owned())
    })
}

/// Returns the number of characters of a password in its normalized form, whichever keyboard typed it.
pub fn length(password: &str) -> usize {
    text::opaque(password).chars().count()
}

/// Returns whether words from `about` make up at least half of the password.
fn is_based_on(password: &str, about: &[&str]) -> bool {
    let known: Vec<_> = about.iter().map(|known| text::opaque(known).to_lowercase()).collect();
    let mut words: Vec<_> = known.iter().flat_map(|known| words(known)).chain([PRODUCT]).collect();
    // The longest words first: an e-mail address before its parts.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(password.to_owned(), |rest, word| rest.replace(word, ""));
    2 * rest.chars().count() <= password.chars().count()
}

/// Splits a text into words. `jane.doe@example.com` gives itself, `jane.doe`, `jane` and `doe`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let local = text.split('@').next().unwrap_or_default();
    let parts = local.split(|c: char| !c.is_alphanumeric());
    [text, local].into_iter().chain(parts).filter(|word| word.chars().count() >= MIN_WORD_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakness_code(password: &str) -> Option<&'static str> {
        let about = ["Jane.Doe@Example.com", "jdoe-42", ""];
        weakness(password, &about, 8).map(|(code, _)| code)
    }

    #[test]
    fn the_list_is_read_and_long_enough() {
        assert!(COMMON.as_ref().unwrap().len() >= 100_000);
    }

    #[test]
    fn a_common_password_is_rejected_in_any_case() {
        for password in ["password123", "PassWord123", "Password", "qwertyuiop", "1234567890", "p@ssw0rd"] {
            assert_eq!(weakness_code(password), Some("TOO_COMMON"), "{password}");
        }
        // The whole password is compared, not its parts.
        assert_eq!(weakness_code("password123 and my other horse"), None);
    }

    #[test]
    fn a_password_based_on_public_data_is_rejected() {
        for password in [
            "jane.doe@example.com",
            "JANE.DOE@EXAMPLE.COM",
            "jane.doe@example.com!1",
            "Jane.Doe",
            "janedoe77",
            "doejane-2026",
            "jdoe-42jdoe-42",
            "insulainsula",
            "Insula2026!",
        ] {
            assert_eq!(weakness_code(password), Some("TOO_SIMILAR"), "{password}");
        }
        for password in ["jane likes 3 old lamps", "an insula in the city", "Doe-Quartz-lantern"] {
            assert_eq!(weakness_code(password), None, "{password}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_nothing_is_composed_or_trimmed() {
        assert_eq!(weakness_code("жарптиц"), Some("TOO_SHORT"));
        for password in [
            "жарптица",
            "kjwbqzxv",
            "  xq vz  ",
            "\u{1F980}\u{1F41A}\u{1F420}\u{1F991}\u{1F42C}\u{1F433}\u{1F988}\u{1F990}",
        ] {
            assert_eq!(weakness_code(password), None, "{password}");
        }
        assert_eq!(weakness_code(&"long lamps ".repeat(11)), None);
        assert_eq!(weakness_code(&"long lamps ".repeat(12)), Some("TOO_LONG"));
        // Each composition of a character counts the same.
        assert_eq!(weakness_code(&"u\u{308}".repeat(7)), Some("TOO_SHORT"));
        assert_eq!(weakness_code(&"o\u{308}u\u{308}".repeat(64)), None);
        assert_eq!(weakness_code(&"o\u{308}u\u{308}o".repeat(43)), Some("TOO_LONG"));
        let about = ["jos\u{e9}@example.com"];
        let code = weakness("jose\u{301}jose\u{301}", &about, 8).map(|(code, _)| code);
        assert_eq!(code, Some("TOO_SIMILAR"));
        let (code, message) = weakness("kjwbqzxvkjwb", &[], 15).unwrap();
        assert!(code == "TOO_SHORT" && message.contains("15"));
    }
}

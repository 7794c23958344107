//! Which passwords are refused: too short, too common, or made of what everybody knows of the person (ASVS 5.0 6.2,
//! NIST SP 800-63B-4 §3.1.1.2). No rules of composition.

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

/// See `common.md`, which says where they come from.
static COMMON: LazyLock<Option<Set<&[u8]>>> =
    LazyLock::new(|| Set::new(include_bytes!("common.fst").as_slice()).ok());

/// Fewest characters of a new password; of a process, like the setting it comes from.
static MIN_LENGTH: AtomicUsize = AtomicUsize::new(*Passwords::LENGTH.start());

/// Words shorter than this are found in too many good passwords.
const SHORTEST_WORD: usize = 3;

/// What everybody knows of every account here.
const PRODUCT: &str = "insula";

/// Asks more characters of new passwords than [`Passwords::LENGTH`] does (`INSULA_PASSWORD_MIN_LENGTH`). Once, at start.
pub fn require_length(min: usize) {
    MIN_LENGTH.store(min.max(*Passwords::LENGTH.start()), Relaxed);
}

/// Fewest characters of a new password.
pub fn shortest() -> usize {
    MIN_LENGTH.load(Relaxed)
}

/// Refuses a new password that somebody would guess; its one form ([`text::opaque`]) is judged. `about`: what is known of the person, such as his e-mail address
/// and his username.
///
/// # Errors
/// `WEAK_PASSWORD`, which says of `field` why.
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
    is_mostly(&password, about).then(|| {
        let message = "Must not be based on your e-mail address, your username or the name of this product.";
        ("TOO_SIMILAR", message.to_owned())
    })
}

/// How many characters a password has: those of its one form, whichever keyboard typed it.
pub fn length(password: &str) -> usize {
    text::opaque(password).chars().count()
}

/// Is at least half of the password words that are known?
fn is_mostly(password: &str, about: &[&str]) -> bool {
    let known: Vec<_> = about.iter().map(|known| text::opaque(known).to_lowercase()).collect();
    let mut words: Vec<_> = known.iter().flat_map(|known| words(known)).chain([PRODUCT]).collect();
    // The longest first: the address before its parts.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(password.to_owned(), |rest, word| rest.replace(word, ""));
    2 * rest.chars().count() <= password.chars().count()
}

/// Of `jane.doe@example.com`: itself, `jane.doe`, `jane` and `doe`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let local = text.split('@').next().unwrap_or_default();
    let parts = local.split(|c: char| !c.is_alphanumeric());
    [text, local].into_iter().chain(parts).filter(|word| word.chars().count() >= SHORTEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(password: &str) -> Option<&'static str> {
        let about = ["Jane.Doe@Example.com", "jdoe-42", ""];
        weakness(password, &about, 8).map(|(code, _)| code)
    }

    #[test]
    fn the_list_is_read_and_long_enough() {
        assert!(COMMON.as_ref().unwrap().len() >= 100_000);
    }

    #[test]
    fn a_password_that_everybody_tries_is_refused_however_it_is_cased() {
        for password in ["password123", "PassWord123", "Password", "qwertyuiop", "1234567890", "p@ssw0rd"] {
            assert_eq!(fault(password), Some("TOO_COMMON"), "{password}");
        }
        // The whole password is compared, not what it contains.
        assert_eq!(fault("password123 and my other horse"), None);
    }

    #[test]
    fn a_password_made_of_what_is_known_is_refused() {
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
            assert_eq!(fault(password), Some("TOO_SIMILAR"), "{password}");
        }
        for password in ["jane likes 3 old lamps", "an insula in the city", "Doe-Quartz-lantern"] {
            assert_eq!(fault(password), None, "{password}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_nothing_is_composed_or_trimmed() {
        assert_eq!(fault("жарптиц"), Some("TOO_SHORT"));
        for password in [
            "жарптица",
            "kjwbqzxv",
            "  xq vz  ",
            "\u{1F980}\u{1F41A}\u{1F420}\u{1F991}\u{1F42C}\u{1F433}\u{1F988}\u{1F990}",
        ] {
            assert_eq!(fault(password), None, "{password}");
        }
        assert_eq!(fault(&"long lamps ".repeat(11)), None);
        assert_eq!(fault(&"long lamps ".repeat(12)), Some("TOO_LONG"));
        // However it is composed.
        assert_eq!(fault(&"u\u{308}".repeat(7)), Some("TOO_SHORT"));
        assert_eq!(fault(&"o\u{308}u\u{308}".repeat(64)), None);
        assert_eq!(fault(&"o\u{308}u\u{308}o".repeat(43)), Some("TOO_LONG"));
        let about = ["jos\u{e9}@example.com"];
        let fault = weakness("jose\u{301}jose\u{301}", &about, 8).map(|(code, _)| code);
        assert_eq!(fault, Some("TOO_SIMILAR"));
        let (code, message) = weakness("kjwbqzxvkjwb", &[], 15).unwrap();
        assert!(code == "TOO_SHORT" && message.contains("15"));
    }
}

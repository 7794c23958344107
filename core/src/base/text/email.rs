//! E-mail addresses.

use unicode_normalization::char::is_combining_mark;

use super::{InvalidText, key, length};

/// An e-mail address as it was typed (trimmed), with its canonical form.
///
/// Canonical: controls, spaces, quotes and non-ASCII local parts refused, then NFKC and lower case, then an IDNA
/// domain, and the result parsed: validating *before* normalising lets a full-width `＠` through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    pub(super) typed: String,
    canonical: String,
}

impl EmailAddress {
    /// Longest address, in characters (RFC 5321 §4.5.3.1.3, less the angle brackets).
    pub const MAX: usize = 254;

    /// # Errors
    /// `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let typed = text.trim();
        length(typed, 0..=Self::MAX)?;
        let bad =
            || InvalidText::new("INVALID_FORMAT", "Must be an e-mail address such as name@example.com.");
        let canonical = Self::canonical(typed).ok_or_else(bad)?;
        Ok(Self { typed: typed.to_owned(), canonical })
    }

    fn canonical(typed: &str) -> Option<String> {
        let (local, domain) = typed.rsplit_once('@')?;
        if typed.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"') || !local.is_ascii() {
            return None;
        }
        let (local, domain) = (key(local), idna::domain_to_ascii_strict(&key(domain)).ok()?);
        // After normalisation: nothing may have turned into a separator (RFC 5322 §3.2.3, dot-atom).
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
        let label =
            |l: &str| (1..=63).contains(&l.len()) && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let fits = (1..=64).contains(&local.len()) && local.len() + domain.len() < Self::MAX;
        let sound = local.chars().all(atom) && !dots && domain.contains('.') && domain.split('.').all(label);
        (fits && sound && is_of_words(&domain)).then(|| format!("{local}@{domain}"))
    }

    /// What uniqueness is judged by.
    pub fn key(&self) -> &str {
        &self.canonical
    }

    /// The masked e-mail address, which only helps those who know it: `a***@example.com`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.typed.rsplit_once('@').unwrap_or_default();
        format!("{}***@{domain}", local.chars().take(1).collect::<String>())
    }
}

/// Does the domain spell words? IDNA2008 takes letters, digits and marks (RFC 5892 §2.1, §2.6); what browsers read as one
/// takes signs too, such as what looks like a slash.
fn is_of_words(domain: &str) -> bool {
    let in_words = "-.·͵׳״・\u{200c}\u{200d}";
    let (spelled, _) = idna::domain_to_unicode(domain);
    spelled.chars().all(|c| c.is_alphanumeric() || is_combining_mark(c) || in_words.contains(c))
}

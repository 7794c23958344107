//! E-mail addresses.

use unicode_normalization::char::is_combining_mark;

use super::{InvalidText, key, length};

/// An e-mail address as it was typed (trimmed), with its canonical form.
///
/// To get the canonical form, controls, spaces, quotes and non-ASCII local parts are refused. NFKC, lower case and an
/// IDNA domain follow, and the result is parsed. Validating *before* normalizing would let a full-width `＠` through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    pub(super) typed: String,
    canonical: String,
}

impl EmailAddress {
    /// Maximum length, in characters (RFC 5321 §4.5.3.1.3, without the angle brackets).
    pub const MAX: usize = 254;

    /// # Errors
    /// `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let typed = text.trim();
        length(typed, 0..=Self::MAX)?;
        let invalid =
            || InvalidText::new("INVALID_FORMAT", "Must be an e-mail address such as name@example.com.");
        let canonical = Self::canonical(typed).ok_or_else(invalid)?;
        Ok(Self { typed: typed.to_owned(), canonical })
    }

    fn canonical(typed: &str) -> Option<String> {
        let (local, domain) = typed.rsplit_once('@')?;
        if typed.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"') || !local.is_ascii() {
            return None;
        }
        let (local, domain) = (key(local), idna::domain_to_ascii_strict(&key(domain)).ok()?);
        // After normalization, because a character may have become a separator (RFC 5322 §3.2.3, dot-atom).
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
        let label =
            |l: &str| (1..=63).contains(&l.len()) && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let fits = (1..=64).contains(&local.len()) && local.len() + domain.len() < Self::MAX;
        let is_valid =
            local.chars().all(atom) && !dots && domain.contains('.') && domain.split('.').all(label);
        (fits && is_valid && has_only_letters(&domain)).then(|| format!("{local}@{domain}"))
    }

    /// The canonical form, which must be unique.
    pub fn key(&self) -> &str {
        &self.canonical
    }

    /// The masked e-mail address, which only helps those who know it: `a***@example.com`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.typed.rsplit_once('@').unwrap_or_default();
        format!("{}***@{domain}", local.chars().take(1).collect::<String>())
    }
}

/// Does the domain have only letters, digits and marks, as IDNA2008 requires (RFC 5892 §2.1, §2.6)? Browsers also
/// accept symbols, such as one that looks like a slash.
fn has_only_letters(domain: &str) -> bool {
    let allowed = "-.·͵׳״・\u{200c}\u{200d}";
    let (spelled, _) = idna::domain_to_unicode(domain);
    spelled.chars().all(|c| c.is_alphanumeric() || is_combining_mark(c) || allowed.contains(c))
}

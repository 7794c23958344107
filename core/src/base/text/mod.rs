//! Text that people enter. Each type parses it once and has the canonical form that must be unique.
//!
//! Canonical forms are computed here and stored, never in SQL, because the two databases would disagree: SQLite
//! converts only ASCII to lower case, and PostgreSQL follows its locale.

pub(crate) mod confusable;
mod email;
mod error_line;
mod instant;
mod justification;
mod single_line;
mod password;
mod links;
mod locale;
mod role_name;
mod search_term;
mod task;
mod organization;
mod time_entry;

use std::{fmt, ops::RangeInclusive, sync::LazyLock};

pub use email::EmailAddress;
pub use error_line::error_line;
pub use instant::instant;
pub use justification::Justification;
pub use links::without_links;
pub use locale::{Locale, TimeZone};
pub use organization::{Currency, OrganizationDescription, SlugFragment};
pub use password::opaque;
use regex::Regex;
pub use role_name::{RoleDescription, RoleName};
pub use search_term::SearchTerm;
pub use single_line::{NO_CONTROLS_PATTERN, NOT_BLANK_PATTERN};
use single_line::{multi_line, single_line, without_controls};
pub use task::{TagName, TaskDescription, TaskTitle};
pub use time_entry::{Activity, Notes};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidText {
    /// Stable error code for programs, in `UPPER_SNAKE`.
    pub code: &'static str,
    /// Explanation for people.
    pub message: String,
}

impl InvalidText {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// NFKC and lower case. Two texts with the same key are the same name (UAX #15).
pub fn key(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// The key without accents and other marks, and with "ss" for "ß". Texts that people do not tell apart when they search
/// have the same one.
pub fn search_key(text: &str) -> String {
    key(text).nfkd().filter(|c| !is_combining_mark(*c)).nfkc().collect::<String>().replace('ß', "ss")
}

fn length(text: &str, bounds: RangeInclusive<usize>) -> Result<(), InvalidText> {
    let (min, max, n) = (*bounds.start(), *bounds.end(), text.chars().count());
    match n {
        0 if min > 0 => Err(InvalidText::new("TOO_SHORT", "Must not be empty.")),
        _ if n < min => Err(InvalidText::new("TOO_SHORT", format!("Must have at least {min} characters."))),
        _ if n > max => Err(InvalidText::new("TOO_LONG", format!("Must have at most {max} characters."))),
        _ => Ok(()),
    }
}

/// The lower-case ASCII letters and digits of a text, with one hyphen instead of all other characters between them; at
/// most `max` characters. It may be empty.
fn slugify(text: &str, max: usize) -> String {
    let mut slug = String::new();
    for c in key(text).chars() {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(max);
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// The form of the texts that [`identifier`] accepts.
const IDENTIFIER_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";

/// Parses ASCII letters, digits, `.`, `_` and `-`; the first character must be a letter or digit.
fn identifier(text: &str, bounds: RangeInclusive<usize>) -> Result<String, InvalidText> {
    length(text, bounds)?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err(InvalidText::new(
            "INVALID_FORMAT",
            "Use letters, digits, dots, hyphens and underscores. The first character must be a letter or a digit.",
        )),
    }
}

/// A displayed name: trimmed, NFC, 1..=100 characters, no invisible characters, no word of mixed scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Maximum length, in characters.
    pub const MAX: usize = 100;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`, `MIXED_SCRIPTS`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let name = single_line(text, 1..=Self::MAX)?;
        confusable::refuse_mixed_scripts(&name)?;
        Ok(Self(name))
    }

    /// The default name of a personal organization.
    pub(crate) fn personal() -> Self {
        Self("Personal".to_owned())
    }
}

/// Identifier of an organization in URLs: lower-case letters, digits and single hyphens, 2..=63 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// The form of a slug, as documented in the API.
    pub const PATTERN: &'static str = "^[a-z0-9](-?[a-z0-9])*$";
    /// Minimum and maximum length of a slug, in characters.
    pub const LENGTH: RangeInclusive<usize> = 2..=63;
    /// Words that are, or may become, a path of the API or a page of the console.
    const RESERVED: [&str; 24] = [
        "accept",
        "account",
        "admin",
        "api",
        "app",
        "auth",
        "dev",
        "docs",
        "health",
        "help",
        "insula",
        "invitations",
        "login",
        "me",
        "new",
        "organizations",
        "platform",
        "register",
        "reset",
        "root",
        "settings",
        "support",
        "users",
        "www",
    ];

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`, `RESERVED` (also for a UUID, because the API accepts ids in the same
    /// place).
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(Slug::PATTERN).ok());
        length(text, Self::LENGTH)?;
        if !FORM.as_ref().is_some_and(|form| form.is_match(text)) {
            return Err(InvalidText::new(
                "INVALID_FORMAT",
                "Use lower-case letters, digits and single hyphens, such as acme-labs.",
            ));
        }
        if Self::RESERVED.contains(&text) || uuid::Uuid::try_parse(text).is_ok() {
            return Err(InvalidText::new("RESERVED", "This slug is reserved. Choose another one."));
        }
        Ok(Self(text.to_owned()))
    }

    /// Creates a slug from a display name and a `suffix` of lower-case letters and digits, which makes it unique.
    pub(crate) fn from_display_name(name: &str, suffix: &str) -> Self {
        let slug = slugify(name, Self::LENGTH.end() - suffix.len() - 1);
        Self(if slug.is_empty() { format!("user-{suffix}") } else { format!("{slug}-{suffix}") })
    }
}

/// The short code of a project: 1..=20 letters, digits, `-`, `_` or `.`, unique regardless of case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectCode(String);

impl ProjectCode {
    /// The form of a code, as documented in the API.
    pub const PATTERN: &'static str = IDENTIFIER_PATTERN;
    /// Maximum length, in characters.
    pub const MAX: usize = 20;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        identifier(text, 1..=Self::MAX).map(Self)
    }

    /// The canonical form, which must be unique.
    pub fn key(&self) -> String {
        key(&self.0)
    }
}

/// A name to log in with: 3..=30 ASCII letters, digits, `.`, `_`, `-`; unique regardless of case; never an e-mail
/// address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// The form of a username, as documented in the API.
    pub const PATTERN: &'static str = IDENTIFIER_PATTERN;
    /// Minimum and maximum length, in characters.
    pub const LENGTH: RangeInclusive<usize> = 3..=30;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        identifier(text, Self::LENGTH).map(Self)
    }

    /// The canonical form, which must be unique.
    pub fn key(&self) -> String {
        key(&self.0)
    }
}

/// A colour as `#rrggbb`, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Color(String);

impl Color {
    /// The form of a colour, as documented in the API.
    pub const PATTERN: &'static str = "^#[0-9a-fA-F]{6}$";

    /// # Errors
    /// `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        match text.strip_prefix('#') {
            Some(hex) if hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()) => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(InvalidText::new("INVALID_FORMAT", "Must be a colour such as #1f6feb.")),
        }
    }
}

macro_rules! text_impls { ($($name:ident . $field:tt),+) => {$(
    impl $name {
        /// The text as it is stored.
        pub fn as_str(&self) -> &str {
            &self.$field
        }
    }
    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.$field)
        }
    }
    impl From<$name> for String {
        fn from(text: $name) -> Self {
            text.$field
        }
    }
)+}}
text_impls!(
    Name.0,
    OrganizationDescription.0,
    Locale.0,
    TimeZone.0,
    Currency.0,
    Slug.0,
    SlugFragment.0,
    ProjectCode.0,
    Username.0,
    Color.0,
    TagName.0,
    TaskTitle.0,
    TaskDescription.0,
    EmailAddress.typed
);

#[cfg(test)]
mod tests;

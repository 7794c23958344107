//! Names and descriptions of roles.

use super::{InvalidText, confusable, key, single_line, slugify};

/// The displayed name of a role: trimmed, NFC, 1..=50 characters, no invisible characters, no word of mixed scripts;
/// unique regardless of case and of letters that look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName(String);

impl RoleName {
    /// Maximum length, in characters.
    pub const MAX: usize = 50;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`, `MIXED_SCRIPTS`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let name = single_line(text, 1..=Self::MAX)?;
        confusable::refuse_mixed_scripts(&name)?;
        Ok(Self(name))
    }

    /// The name as it is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical form, which has the unique index.
    pub fn key(&self) -> String {
        key(&self.0)
    }

    /// Does the name look like `other`?
    pub(crate) fn resembles(&self, other: &str) -> bool {
        confusable::appearance(&self.0) == confusable::appearance(other)
    }

    /// A stable name for programs, derived from this one: lower-case letters, digits and single hyphens, at most 40
    /// characters; `role` if none is left.
    pub(crate) fn slug(&self) -> String {
        let slug = slugify(&self.0, 40);
        if slug.is_empty() { "role".to_owned() } else { slug }
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.0
    }
}

/// The description of a role: trimmed, NFC, at most 255 characters, no control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleDescription(String);

impl RoleDescription {
    /// Maximum length, in characters.
    pub const MAX: usize = 255;

    /// # Errors
    /// `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 0..=Self::MAX).map(Self)
    }
}

impl From<RoleDescription> for String {
    fn from(description: RoleDescription) -> Self {
        description.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_name_has_a_slug_and_a_key() {
        let slug = |name: &str| RoleName::parse(name).unwrap().slug();
        assert_eq!(slug("Project lead"), "project-lead");
        assert_eq!(slug("  Käse & Brot! "), "k-se-brot");
        assert_eq!(slug("日本"), "role");
        assert_eq!(slug(&"a b".repeat(16)).len(), 40);
        assert_eq!(RoleName::parse("STRASSE").unwrap().key(), RoleName::parse("strasse").unwrap().key());
        assert_eq!(RoleName::parse(" ").unwrap_err().code, "TOO_SHORT");
        assert_eq!(RoleDescription::parse(&"a".repeat(256)).unwrap_err().code, "TOO_LONG");
        assert_eq!(RoleDescription::parse("").unwrap(), RoleDescription::default());
    }
}

//! How a person wants to be spoken to and shown the time: labels, never rules.

use std::ops::RangeInclusive;

use super::{Fault, length};

/// A language tag in the case that RFC 5646 §2.1.1 recommends, such as `de-CH` or `zh-Hant-TW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale(pub(super) String);

impl Locale {
    /// The form of a tag, as the API documents it: subtags of letters and digits, the language first.
    pub const PATTERN: &'static str = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$";
    /// Shortest and longest tag, in characters (RFC 5646 §4.4.1).
    pub const LENGTH: RangeInclusive<usize> = 2..=35;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        length(text, Self::LENGTH)?;
        let mut tag = String::with_capacity(text.len());
        let mut after_singleton = false;
        for (at, part) in text.split('-').enumerate() {
            let sound = match at {
                0 => (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()),
                _ => (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            };
            if !sound {
                return Err(Fault::new("INVALID_FORMAT", "Write a language tag such as en or de-CH."));
            }
            let part = part.to_ascii_lowercase();
            tag.push_str(if at > 0 { "-" } else { "" });
            match part.len() {
                2 if at > 0 && !after_singleton => tag.push_str(&part.to_ascii_uppercase()),
                4 if at > 0 && !after_singleton => {
                    tag.push_str(&part[..1].to_ascii_uppercase());
                    tag.push_str(&part[1..]);
                }
                _ => tag.push_str(&part),
            }
            after_singleton |= part.len() == 1;
        }
        Ok(Self(tag))
    }
}

/// The name of a time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(pub(super) String);

impl TimeZone {
    /// Longest name, in characters; the longest there is has 32.
    pub const MAX: usize = 64;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `UNKNOWN_TIMEZONE`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        length(text, 1..=Self::MAX)?;
        match text.parse::<chrono_tz::Tz>() {
            Ok(zone) => Ok(Self(zone.name().to_owned())),
            Err(_) => Err(Fault::new("UNKNOWN_TIMEZONE", "Name a time zone such as Europe/Berlin or UTC.")),
        }
    }

    /// Of those who have told none.
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_get_their_usual_case() {
        for (typed, tag) in [
            ("EN", "en"),
            ("de-ch", "de-CH"),
            ("ZH-HANT-tw", "zh-Hant-TW"),
            ("de-DE-U-CO-phonebk", "de-DE-u-co-phonebk"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(Locale::parse(typed).unwrap().0, tag);
        }
        for bad in ["e", "de_CH", "de-", "-de", "1e", "deutsch", "de--CH", "dé", "de-abcdefghi", " de"] {
            assert!(Locale::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_database() {
        for good in ["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT+5"] {
            assert_eq!(TimeZone::parse(good).unwrap().0, good);
        }
        for bad in ["", "Berlin", "europe/berlin", "UTC+1", "+02:00", "Europe/Berlin "] {
            assert!(TimeZone::parse(bad).is_err(), "{bad:?}");
        }
    }
}

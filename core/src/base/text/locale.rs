//! The language and the time zone of a user. They affect only how things are shown.

use std::ops::RangeInclusive;

use chrono::{DateTime, FixedOffset, Offset, Utc};
use chrono_tz::Tz;

use super::{InvalidText, length};

/// A language tag in the case that RFC 5646 §2.1.1 recommends, such as `de-CH` or `zh-Hant-TW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale(pub(super) String);

impl Locale {
    /// The form of a tag, as documented in the API: subtags of letters and digits, the language first.
    pub const PATTERN: &'static str = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$";
    /// Minimum and maximum length of a tag, in characters (RFC 5646 §4.4.1).
    pub const LENGTH: RangeInclusive<usize> = 2..=35;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        length(text, Self::LENGTH)?;
        let mut tag = String::with_capacity(text.len());
        let mut after_singleton = false;
        for (at, part) in text.split('-').enumerate() {
            let sound = match at {
                0 => (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()),
                _ => (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            };
            if !sound {
                return Err(InvalidText::new(
                    "INVALID_FORMAT",
                    "Must be a language tag such as en or de-CH.",
                ));
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
    /// Maximum length of a name, in characters. The longest existing name has 32.
    pub const MAX: usize = 64;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `UNKNOWN_TIMEZONE`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        length(text, 1..=Self::MAX)?;
        match text.parse::<Tz>() {
            Ok(zone) => Ok(Self(zone.name().to_owned())),
            Err(_) => {
                Err(InvalidText::new("UNKNOWN_TIMEZONE", "Must be a time zone such as Europe/Berlin or UTC."))
            }
        }
    }

    /// UTC, the default.
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }

    /// The time zone; UTC if the database of this program does not know its name.
    pub(crate) fn zone(&self) -> Tz {
        self.0.parse().unwrap_or(Tz::UTC)
    }

    /// The local time of an instant, with its offset. It stays in UTC if the offset is not a whole number of minutes,
    /// as some were until 1972, because RFC 3339 cannot represent such an offset.
    pub(crate) fn local(&self, instant: DateTime<Utc>) -> DateTime<FixedOffset> {
        let local = instant.with_timezone(&self.zone()).fixed_offset();
        match local.offset().local_minus_utc() % 60 {
            0 => local,
            _ => instant.with_timezone(&Utc.fix()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_normalized_to_the_recommended_case() {
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
    fn only_time_zones_of_the_database_are_accepted() {
        for good in ["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT+5"] {
            assert_eq!(TimeZone::parse(good).unwrap().0, good);
        }
        for bad in ["", "Berlin", "europe/berlin", "UTC+1", "+02:00", "Europe/Berlin "] {
            assert!(TimeZone::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn local_times_parse_back_to_their_instant() {
        let round_trip = |zone: &str, instant: &str| {
            let instant = crate::base::text::instant(instant).unwrap();
            let local = TimeZone::parse(zone)
                .unwrap()
                .local(instant)
                .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            assert_eq!(crate::base::text::instant(&local), Ok(instant));
            local
        };
        for (zone, instant, local) in [
            ("UTC", "2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
            ("Europe/Berlin", "2026-03-02T08:00:00Z", "2026-03-02T09:00:00+01:00"),
            // This hour occurs twice.
            ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00+02:00"),
            ("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00"),
            ("Asia/Kathmandu", "2026-03-02T08:00:00.5Z", "2026-03-02T13:45:00.500+05:45"),
            ("America/St_Johns", "2026-03-02T01:00:00Z", "2026-03-01T21:30:00-03:30"),
            // The offset is 44 minutes and 30 seconds.
            ("Africa/Monrovia", "1970-03-02T08:00:00Z", "1970-03-02T08:00:00Z"),
        ] {
            assert_eq!(round_trip(zone, instant), local);
        }
    }
}

//! Descriptions, slug searches and currencies of organizations.

use std::ops::RangeInclusive;

use super::{InvalidText, length, single_line};

/// A short description: trimmed, NFC, 1..=500 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationDescription(pub(super) String);

impl OrganizationDescription {
    /// Maximum length, in characters.
    pub const MAX: usize = 500;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        single_line(text, 1..=Self::MAX).map(Self)
    }
}

/// A part of a slug to search for: 1..=63 lower-case letters, digits and hyphens. It has no characters that are special
/// in LIKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlugFragment(pub(super) String);

impl SlugFragment {
    /// The form of a part, as documented in the API.
    pub const PATTERN: &'static str = "^[a-z0-9-]+$";
    /// Minimum and maximum length of a part, in characters.
    pub const LENGTH: RangeInclusive<usize> = 1..=63;

    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG`, `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        length(text, Self::LENGTH)?;
        match text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidText::new("INVALID_FORMAT", "Use lower-case letters, digits and hyphens.")),
        }
    }
}

/// A currency code (ISO 4217), such as `EUR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency(pub(super) String);

impl Currency {
    /// The form of a code, as documented in the API.
    pub const PATTERN: &'static str = "^[A-Z]{3}$";
    /// The length of a code, in characters.
    pub const LENGTH: RangeInclusive<usize> = 3..=3;
    /// The codes of the currencies in use (ISO 4217:2015, list one, as of 2026), without funds, metals and test codes.
    const CODES: &'static str = "\
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP \
        CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG \
        HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL \
        MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR \
        RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD \
        TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

    /// # Errors
    /// `INVALID_FORMAT`, `UNKNOWN_CURRENCY`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidText::new("INVALID_FORMAT", "Must be a currency code such as EUR."));
        }
        match Self::CODES.split_whitespace().any(|code| code == text) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidText::new(
                "UNKNOWN_CURRENCY",
                "Must be a currency code of ISO 4217, such as EUR or USD.",
            )),
        }
    }

    /// The currency of organizations that have not chosen one.
    pub(crate) fn default_currency() -> Self {
        Self("EUR".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_currencies_of_the_standard_are_accepted() {
        for good in ["EUR", "USD", "JPY", "CHF", "ZWG"] {
            assert_eq!(Currency::parse(good).unwrap().0, good);
        }
        for (bad, code) in [
            ("eur", "INVALID_FORMAT"),
            ("EU", "INVALID_FORMAT"),
            ("EURO", "INVALID_FORMAT"),
            ("€", "INVALID_FORMAT"),
            ("", "INVALID_FORMAT"),
            ("E R", "INVALID_FORMAT"),
            ("ABC", "UNKNOWN_CURRENCY"),
            ("XAU", "UNKNOWN_CURRENCY"),
        ] {
            assert_eq!(Currency::parse(bad).unwrap_err().code, code, "{bad:?}");
        }
        assert!(Currency::CODES.split_whitespace().is_sorted());
        assert!(Currency::CODES.split_whitespace().all(|code| Currency::parse(code).is_ok()));
        assert!(Currency::parse(&Currency::default_currency().0).is_ok());
    }

    #[test]
    fn a_part_of_a_slug_has_no_wildcards() {
        for good in ["a", "-", "acme-2", &"a".repeat(63)] {
            assert_eq!(SlugFragment::parse(good).unwrap().0, good);
        }
        for bad in ["", "%", "a_b", "A", "a b", "\\", &"a".repeat(64)] {
            assert!(SlugFragment::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_description_is_trimmed_and_not_empty() {
        assert_eq!(OrganizationDescription::parse("  We build engines. ").unwrap().0, "We build engines.");
        for bad in ["", "  ", "a\u{7}b", "two\nlines", &"a".repeat(501)] {
            assert!(OrganizationDescription::parse(bad).is_err(), "{bad:?}");
        }
    }
}

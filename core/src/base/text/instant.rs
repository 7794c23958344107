//! Instants in bodies, parameters and files.

use chrono::{DateTime, Timelike, Utc};

use super::InvalidText;

/// Parses an instant (RFC 3339 §5.6) with any offset.
///
/// Leap seconds (`:60`) are refused, because few programs know them and the two databases store them as different
/// instants.
///
/// # Errors
/// `INVALID_FORMAT`.
pub fn instant(text: &str) -> Result<DateTime<Utc>, InvalidText> {
    // chrono represents a leap second as a nanosecond above 999,999,999, in whichever minute it is.
    let is_leap = |instant: &DateTime<_>| instant.nanosecond() >= 1_000_000_000;
    match DateTime::parse_from_rfc3339(text) {
        Ok(instant) if is_leap(&instant) => Err(InvalidText::new(
            "INVALID_FORMAT",
            "Must not be a leap second. Use second 59 or the next minute.",
        )),
        Ok(instant) => Ok(instant.to_utc()),
        Err(_) => Err(InvalidText::new(
            "INVALID_FORMAT",
            "Must be a date and time with an offset, such as 2026-01-31T09:30:00Z or 2026-01-31T10:30:00+01:00.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_the_same_with_every_offset() {
        let noon = DateTime::from_timestamp(1_772_445_600, 0).unwrap();
        for text in ["2026-03-02T10:00:00Z", "2026-03-02T11:00:00+01:00", "2026-03-02T04:30:00.000-05:30"] {
            assert_eq!(instant(text), Ok(noon), "{text}");
        }
        for text in ["", "2026-03-02", "2026-03-02T10:00:00", "10:00", "02.03.2026 10:00", "1772445600"] {
            assert_eq!(instant(text).unwrap_err().code, "INVALID_FORMAT", "{text}");
        }
    }

    #[test]
    fn leap_seconds_are_refused() {
        for text in [
            "2026-03-02T08:00:60Z",
            "2026-03-02T08:00:60.5+05:30",
            "2016-12-31T23:59:60Z",
            "2016-12-31T15:59:60-08:00",
        ] {
            assert!(instant(text).unwrap_err().message.contains("leap second"), "{text}");
        }
        assert!(instant("2016-12-31T23:59:59.999999999Z").is_ok());
    }
}

//! Rates, such as 10 per minute.

use std::{fmt, time::Duration};

/// A number per period, spread evenly, such as `10/min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number, at least 1.
    pub count: u32,
    /// The period, at least one second.
    pub per: Duration,
}

const UNITS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3600), ("d", 24 * 3600)];

impl Rate {
    /// Parses `10/min`, `3/h` or `5/15min`. The units are `s`, `min`, `h` and `d`. `None` if the text is not a rate.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.split_once('/')?;
        let digits = per.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = per.split_at(digits);
        let number: u64 = if number.is_empty() { 1 } else { number.parse().ok()? };
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let per = Duration::from_secs(number.checked_mul(*seconds)?);
        let count = count.parse().ok().filter(|count| (1..=1_000_000_000).contains(count))?;
        // One token takes at least a nanosecond, and a period is at most a year.
        let is_sane = (1..=365 * 24 * 3600).contains(&per.as_secs());
        is_sane.then_some(Self { count, per })
    }

    /// The time until one more token is available.
    pub fn interval(self) -> Duration {
        (self.per / self.count).max(Duration::from_nanos(1))
    }

    /// The share of one of `processes` processes; at least one per period.
    #[must_use]
    pub fn share_of(self, processes: u32) -> Self {
        Self { count: (self.count / processes.max(1)).max(1), ..self }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.per.as_secs();
        let unit = UNITS.iter().rev().find(|(_, unit)| seconds.is_multiple_of(*unit));
        match unit {
            Some((name, unit)) if seconds == *unit => write!(f, "{}/{name}", self.count),
            Some((name, unit)) => write!(f, "{}/{}{name}", self.count, seconds / unit),
            None => write!(f, "{}/{seconds}s", self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_have_their_usual_notation() {
        let displayed = |text| Rate::parse(text).map(|rate| rate.to_string());
        for text in ["10/min", "3/h", "5/15min", "1/s", "7/365d", "1000000000/90s"] {
            assert_eq!(displayed(text).as_deref(), Some(text));
        }
        assert_eq!(displayed("5/3600s").as_deref(), Some("5/h"));
        for bad in [
            "",
            "/",
            "1",
            "1/",
            "/s",
            "0/s",
            "1/0s",
            "-1/s",
            "1.5/s",
            "1/S",
            "1/ s",
            "1/366d",
            "1000000001/s",
            "1/s/s",
        ] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
        assert_eq!(Rate::parse(&format!("1/{}d", u64::MAX)), None);
    }

    proptest! {
        #[test]
        fn a_displayed_rate_parses_to_itself(count in 1u32..=1_000_000_000, seconds in 1u64..=365 * 24 * 3600) {
            let rate = Rate { count, per: Duration::from_secs(seconds) };
            prop_assert_eq!(Rate::parse(&rate.to_string()), Some(rate));
        }

        #[test]
        fn a_parsed_rate_is_usable(
            text in prop_oneof![any::<String>(), "[0-9+-]{0,12}/[0-9]{0,22}(s|min|h|d|w| )?"],
            processes in any::<u32>(),
        ) {
            if let Some(rate) = Rate::parse(&text) {
                prop_assert_eq!(Rate::parse(&rate.to_string()), Some(rate));
                prop_assert!(!rate.interval().is_zero() && rate.interval() <= rate.per);
                let share = rate.share_of(processes);
                prop_assert!((1..=rate.count).contains(&share.count) && share.per == rate.per);
            }
        }
    }
}

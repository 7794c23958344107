//! How many in how long.

use std::{fmt, time::Duration};

/// So many in so long, evenly: `10/min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In how long; at least a second.
    pub per: Duration,
}

const UNITS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3600), ("d", 24 * 3600)];

impl Rate {
    /// `10/min`, `3/h`, `5/15min`: units are `s`, `min`, `h` and `d`.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.split_once('/')?;
        let digits = per.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = per.split_at(digits);
        let number: u64 = if number.is_empty() { 1 } else { number.parse().ok()? };
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let per = Duration::from_secs(number.checked_mul(*seconds)?);
        let count = count.parse().ok().filter(|count| (1..=1_000_000_000).contains(count))?;
        // A token is worth at least a nanosecond, and a bucket at most a year.
        let is_sane = (1..=365 * 24 * 3600).contains(&per.as_secs());
        is_sane.then_some(Self { count, per })
    }

    /// How long it takes until there is one token more.
    pub fn interval(self) -> Duration {
        (self.per / self.count).max(Duration::from_nanos(1))
    }

    /// What one of so many processes may allow; at least one.
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
    fn quotas_are_written_as_people_say_them() {
        let shown = |text| Rate::parse(text).map(|quota| quota.to_string());
        for text in ["10/min", "3/h", "5/15min", "1/s", "7/365d", "1000000000/90s"] {
            assert_eq!(shown(text).as_deref(), Some(text));
        }
        assert_eq!(shown("5/3600s").as_deref(), Some("5/h"));
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
        fn what_is_shown_is_read_back(count in 1u32..=1_000_000_000, seconds in 1u64..=365 * 24 * 3600) {
            let quota = Rate { count, per: Duration::from_secs(seconds) };
            prop_assert_eq!(Rate::parse(&quota.to_string()), Some(quota));
        }

        #[test]
        fn what_is_read_means_something(
            text in prop_oneof![any::<String>(), "[0-9+-]{0,12}/[0-9]{0,22}(s|min|h|d|w| )?"],
            processes in any::<u32>(),
        ) {
            if let Some(quota) = Rate::parse(&text) {
                prop_assert_eq!(Rate::parse(&quota.to_string()), Some(quota));
                prop_assert!(!quota.interval().is_zero() && quota.interval() <= quota.per);
                let part = quota.share_of(processes);
                prop_assert!((1..=quota.count).contains(&part.count) && part.per == quota.per);
            }
        }
    }
}

//! The starts of days, weeks and months in a time zone. Computed here, because SQLite knows no time zones and both
//! databases must agree.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, Months, NaiveDate, NaiveTime, TimeZone as _, Utc, Weekday,
};
use chrono_tz::{GapInfo, Tz};

use crate::{base::text::TimeZone, identity::users::WeekStart};

/// A calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
}

/// A part of the range, with the name of its day, week or month. The end is exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) key: String,
    /// Unix seconds.
    pub(super) from: i64,
    pub(super) until: i64,
}

/// A time zone and the first day of the week.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    zone: Tz,
    week_start: WeekStart,
}

impl Calendar {
    /// Uses UTC if the time zone database of this program does not contain the zone.
    pub(super) fn new(zone: &TimeZone, week_start: WeekStart) -> Self {
        Self { zone: zone.zone(), week_start }
    }

    /// The days, weeks or months from `from` to `until`. The first and the last are cut there. `None`: more than
    /// `most`.
    pub(super) fn buckets(
        &self,
        unit: Unit,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        most: usize,
    ) -> Option<Vec<Bucket>> {
        let mut first = self.first(unit, from.with_timezone(&self.zone).date_naive());
        let (mut begin, end) = (from.timestamp(), until.timestamp());
        let mut buckets = Vec::new();
        while begin < end {
            let next = following(unit, first);
            let last = next.map_or(end, |next| self.midnight(next).timestamp().min(end));
            // A day that the zone skipped, or one that it returned into, has no time.
            if last > begin {
                if buckets.len() == most {
                    return None;
                }
                buckets.push(Bucket { key: key(unit, first), from: begin, until: last });
                begin = last;
            }
            first = next.unwrap_or(first);
        }
        Some(buckets)
    }

    /// The first day of the unit that contains a day.
    fn first(&self, unit: Unit, day: NaiveDate) -> NaiveDate {
        let back = match unit {
            Unit::Day => 0,
            Unit::Week => day.weekday().days_since(match self.week_start {
                WeekStart::Monday => Weekday::Mon,
                WeekStart::Saturday => Weekday::Sat,
                WeekStart::Sunday => Weekday::Sun,
            }),
            Unit::Month => day.day0(),
        };
        day.checked_sub_days(Days::new(back.into())).unwrap_or(day)
    }

    /// The first instant of a day: midnight, the earlier one of two, or the end of the gap if there is none.
    fn midnight(&self, day: NaiveDate) -> DateTime<Utc> {
        let local = day.and_time(NaiveTime::MIN);
        let found = match self.zone.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) => Some(instant),
            MappedLocalTime::Ambiguous(one, other) => Some(one.min(other)),
            MappedLocalTime::None => GapInfo::new(&local, &self.zone).and_then(|gap| gap.end),
        };
        found.map_or_else(|| local.and_utc(), |instant| instant.to_utc())
    }
}

fn following(unit: Unit, first: NaiveDate) -> Option<NaiveDate> {
    match unit {
        Unit::Day => first.checked_add_days(Days::new(1)),
        Unit::Week => first.checked_add_days(Days::new(7)),
        Unit::Month => first.checked_add_months(Months::new(1)),
    }
}

fn key(unit: Unit, first: NaiveDate) -> String {
    match unit {
        Unit::Day | Unit::Week => first.format("%Y-%m-%d").to_string(),
        Unit::Month => first.format("%Y-%m").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Key and length in minutes of every bucket.
    fn lengths(zone: &str, unit: Unit, from: &str, until: &str) -> Vec<(String, i64)> {
        let calendar = Calendar::new(&TimeZone::parse(zone).unwrap(), WeekStart::Monday);
        let buckets = calendar.buckets(unit, (instant(from), instant(until)), 400).unwrap();
        assert!(buckets.windows(2).all(|pair| pair[0].until == pair[1].from), "{buckets:?}");
        assert_eq!(buckets[0].from, instant(from).timestamp());
        assert_eq!(buckets.last().unwrap().until, instant(until).timestamp());
        buckets.into_iter().map(|it| (it.key, (it.until - it.from) / 60)).collect()
    }

    fn expected_lengths(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
        expected.iter().map(|(key, minutes)| ((*key).to_owned(), *minutes)).collect()
    }

    #[test]
    fn days_have_the_length_of_the_time_zone() {
        for (zone, from, until, days) in [
            (
                "Europe/Berlin",
                "2026-03-28T12:00:00Z",
                "2026-03-30T22:00:00Z",
                &[("2026-03-28", 660), ("2026-03-29", 23 * 60), ("2026-03-30", 24 * 60)][..],
            ),
            ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", &[("2026-10-25", 25 * 60)]),
            // There was no midnight: the day started at one o'clock.
            (
                "America/Sao_Paulo",
                "2018-11-03T03:00:00Z",
                "2018-11-05T02:00:00Z",
                &[("2018-11-03", 24 * 60), ("2018-11-04", 23 * 60)],
            ),
            // The zone skipped a day.
            (
                "Pacific/Apia",
                "2011-12-29T10:00:00Z",
                "2011-12-31T10:00:00Z",
                &[("2011-12-29", 24 * 60), ("2011-12-31", 24 * 60)],
            ),
            // The clock went from 00:01 back to 23:01 of the previous day. The new day had started by then.
            (
                "America/St_Johns",
                "2010-11-06T02:30:00Z",
                "2010-11-08T03:30:00Z",
                &[("2010-11-06", 24 * 60), ("2010-11-07", 25 * 60)],
            ),
            (
                "Asia/Kathmandu",
                "2026-01-01T18:00:00Z",
                "2026-01-01T18:30:00Z",
                &[("2026-01-01", 15), ("2026-01-02", 15)],
            ),
        ] {
            assert_eq!(lengths(zone, Unit::Day, from, until), expected_lengths(days), "{zone}");
        }
        let within = lengths("America/St_Johns", Unit::Day, "2010-11-07T02:45:00Z", "2010-11-07T03:45:00Z");
        assert_eq!(within, expected_lengths(&[("2010-11-07", 60)]));
    }

    #[test]
    fn weeks_start_on_the_configured_day_and_months_on_the_first() {
        let range = (instant("2026-02-27T00:00:00Z"), instant("2026-03-09T00:00:00Z"));
        for (start, keys) in [
            (WeekStart::Monday, &["2026-02-23", "2026-03-02"][..]),
            (WeekStart::Saturday, &["2026-02-21", "2026-02-28", "2026-03-07"]),
            (WeekStart::Sunday, &["2026-02-22", "2026-03-01", "2026-03-08"]),
        ] {
            let calendar = Calendar::new(&TimeZone::parse("UTC").unwrap(), start);
            let weeks = calendar.buckets(Unit::Week, range, 400).unwrap();
            assert_eq!(weeks.into_iter().map(|week| week.key).collect::<Vec<_>>(), keys);
        }
        let months = lengths("UTC", Unit::Month, "2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z");
        assert_eq!(months, expected_lengths(&[("2026-01", 24 * 60), ("2026-02", 28 * 24 * 60)]));
    }

    #[test]
    fn the_number_of_buckets_is_limited_for_any_range() {
        let calendar = Calendar::new(&TimeZone::parse("Asia/Tokyo").unwrap(), WeekStart::Sunday);
        let days = |days| instant("2026-01-01T15:00:00Z") + chrono::TimeDelta::days(days);
        assert_eq!(calendar.buckets(Unit::Day, (days(0), days(400)), 400).unwrap().len(), 400);
        assert!(calendar.buckets(Unit::Day, (days(0), days(401)), 400).is_none());
        let all_time = (instant("0000-01-01T00:00:00Z"), instant("9999-12-31T23:59:59Z"));
        for unit in [Unit::Day, Unit::Week, Unit::Month] {
            assert!(calendar.buckets(unit, all_time, 400).is_none());
        }
    }
}

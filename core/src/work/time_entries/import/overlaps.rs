//! Finds new entries that overlap existing entries or each other.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Entity, Rules, TimeEntryWithTags};
use crate::{
    Result,
    base::{ids::MemberId, permissions::TimeEntriesCreate},
    storage::db::OrgTx,
    work::time_entries::{Column, list::window},
};

/// Start, end, and the index of a new entry; `None`: an existing entry.
type TimeInterval = (DateTime<Utc>, DateTime<Utc>, Option<usize>);

/// The indexes of new entries that overlap; none if the organization allows overlaps.
pub(super) async fn find(
    tx: &OrgTx<TimeEntriesCreate>,
    rules: &Rules,
    new: &[TimeEntryWithTags],
) -> Result<Vec<usize>> {
    let ends = |entry: &TimeEntryWithTags| entry.entry.ended_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let first = new.iter().map(|entry| entry.entry.started_at).min();
    let Some((first, last)) = first.zip(new.iter().map(ends).max()).filter(|_| rules.forbids_overlap())
    else {
        return Ok(Vec::new());
    };
    let mut time: BTreeMap<MemberId, Vec<TimeInterval>> = BTreeMap::new();
    for (index, entry) in new.iter().enumerate() {
        let interval = (entry.entry.started_at, ends(entry), Some(index));
        time.entry(entry.entry.member_id).or_default().push(interval);
    }
    let existing = tx.find::<Entity>().filter(window(Some(first), Some(last)));
    let members: Vec<_> = time.keys().copied().collect();
    for entry in existing.all_of(Column::MemberId, members).await? {
        let ends = entry.ended_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        time.entry(entry.member_id).or_default().push((entry.started_at, ends, None));
    }
    let mut overlapping: Vec<_> = time.into_values().flat_map(find_overlaps).collect();
    overlapping.sort_unstable();
    overlapping.dedup();
    Ok(overlapping)
}

/// The new entries in the time of one member that overlap another entry.
fn find_overlaps(mut time: Vec<TimeInterval>) -> Vec<usize> {
    time.sort_unstable();
    let (mut found, mut longest): (Vec<usize>, Option<TimeInterval>) = (Vec::new(), None);
    for interval in time {
        let (from, until, new) = interval;
        if let Some((_, longest_until, before)) =
            longest.filter(|(_, longest_until, _)| from < *longest_until)
        {
            // The later entry is reported, unless it exists already.
            found.extend(new.or(before));
            longest = longest.filter(|_| longest_until >= until).or(Some(interval));
        } else {
            longest = Some(interval);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(from: i64, until: i64, new: Option<usize>) -> TimeInterval {
        let at = |hour: i64| DateTime::from_timestamp(1_800_000_000 + hour * 3600, 0).unwrap();
        (at(from), at(until), new)
    }

    #[test]
    fn each_new_entry_that_overlaps_is_found_once() {
        let of = |time: &[(i64, i64, Option<usize>)]| {
            find_overlaps(time.iter().map(|(from, until, new)| interval(*from, *until, *new)).collect())
        };
        assert!(of(&[(8, 9, Some(0)), (9, 10, None), (10, 11, Some(1))]).is_empty());
        assert_eq!(of(&[(8, 10, None), (9, 11, Some(0))]), [0]);
        // An existing entry within a new one.
        assert_eq!(of(&[(8, 12, Some(0)), (9, 10, None), (11, 13, Some(1))]), [0, 1]);
        assert_eq!(of(&[(8, 9, Some(0)), (8, 9, Some(1)), (8, 9, Some(2))]), [1, 2]);
        // Entries of no length, one within another entry and one at its end.
        assert_eq!(of(&[(8, 10, None), (9, 9, Some(0)), (10, 10, Some(1))]), [0]);
    }
}

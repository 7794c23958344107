//! Which of many new entries would count time twice: with what stands there, or with each other.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Entity, Rules, TimeEntryWithTags};
use crate::{
    Result,
    base::{ids::MemberId, permissions::TimeEntriesCreate},
    storage::db::OrgTx,
    work::time_entries::{Column, list::window},
};

/// From when to when, and which of the new ones it is; `None`: it stands there.
type Stretch = (DateTime<Utc>, DateTime<Utc>, Option<usize>);

/// The places of those that would; none where the organization allows it.
pub(super) async fn find(
    tx: &OrgTx<TimeEntriesCreate>,
    rules: &Rules,
    new: &[TimeEntryWithTags],
) -> Result<Vec<usize>> {
    let ends = |shown: &TimeEntryWithTags| shown.entry.ended_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let first = new.iter().map(|shown| shown.entry.started_at).min();
    let Some((first, last)) = first.zip(new.iter().map(ends).max()).filter(|_| rules.refuse_double()) else {
        return Ok(Vec::new());
    };
    let mut time: BTreeMap<MemberId, Vec<Stretch>> = BTreeMap::new();
    for (place, shown) in new.iter().enumerate() {
        let stretch = (shown.entry.started_at, ends(shown), Some(place));
        time.entry(shown.entry.member_id).or_default().push(stretch);
    }
    let there = tx.find::<Entity>().filter(window(Some(first), Some(last)));
    let members: Vec<_> = time.keys().copied().collect();
    for entry in there.all_of(Column::MemberId, members).await? {
        let ends = entry.ended_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        time.entry(entry.member_id).or_default().push((entry.started_at, ends, None));
    }
    let mut doubles: Vec<_> = time.into_values().flat_map(doubles).collect();
    doubles.sort_unstable();
    doubles.dedup();
    Ok(doubles)
}

/// Of one member's time, the new ones that share some with another.
fn doubles(mut time: Vec<Stretch>) -> Vec<usize> {
    time.sort_unstable();
    let (mut found, mut longest): (Vec<usize>, Option<Stretch>) = (Vec::new(), None);
    for stretch in time {
        let (from, until, new) = stretch;
        if let Some((_, reaches, before)) = longest.filter(|(_, reaches, _)| from < *reaches) {
            // The later one is told, unless it stands there already.
            found.extend(new.or(before));
            longest = longest.filter(|_| reaches >= until).or(Some(stretch));
        } else {
            longest = Some(stretch);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: i64, until: i64, new: Option<usize>) -> Stretch {
        let at = |hour: i64| DateTime::from_timestamp(1_800_000_000 + hour * 3600, 0).unwrap();
        (at(from), at(until), new)
    }

    #[test]
    fn what_shares_time_is_found_once_for_each_new_one() {
        let of = |time: &[(i64, i64, Option<usize>)]| {
            doubles(time.iter().map(|(from, until, new)| stretch(*from, *until, *new)).collect())
        };
        assert!(of(&[(8, 9, Some(0)), (9, 10, None), (10, 11, Some(1))]).is_empty());
        assert_eq!(of(&[(8, 10, None), (9, 11, Some(0))]), [0]);
        // One that stands there, in the midst of a new one.
        assert_eq!(of(&[(8, 12, Some(0)), (9, 10, None), (11, 13, Some(1))]), [0, 1]);
        assert_eq!(of(&[(8, 9, Some(0)), (8, 9, Some(1)), (8, 9, Some(2))]), [1, 2]);
        // A moment inside of something, and one at its end.
        assert_eq!(of(&[(8, 10, None), (9, 9, Some(0)), (10, 10, Some(1))]), [0]);
    }
}

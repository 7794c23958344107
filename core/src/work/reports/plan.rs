//! The database queries of a report, and the groups that their results belong to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    GroupLevel,
    calendar::{Bucket, Calendar, Unit},
};
use crate::{
    storage::db::{Aggregation, GroupKey, TimeBucket},
    work::time_entries::{self, Column},
};

/// Maximum number of time buckets in a report.
pub const MOST_BUCKETS: usize = 400;

/// The time buckets of one depth. Each has the keys of its time levels, outer level first.
struct BucketPlan(Vec<(TimeBucket, Vec<String>)>);

/// One depth of the report, with all levels down to it.
pub(super) struct GroupDepth {
    levels: Vec<GroupLevel>,
    plan: BucketPlan,
}

/// All depths, from the total down; `None`: more than [`MOST_BUCKETS`] time buckets.
pub(super) fn depths(
    levels: &[GroupLevel],
    calendar: &Calendar,
    range: (DateTime<Utc>, DateTime<Utc>),
) -> Option<Vec<GroupDepth>> {
    let depth = |number: usize| {
        let levels = levels[..number].to_vec();
        BucketPlan::new(&levels, calendar, range).map(|plan| GroupDepth { levels, plan })
    };
    (0..=levels.len()).map(depth).collect()
}

impl GroupDepth {
    /// The database query of this depth.
    pub(super) fn aggregation(&self) -> Aggregation<time_entries::Entity> {
        let mut keys = [None, None];
        for (key, level) in keys.iter_mut().zip(&self.levels) {
            *key = match level {
                GroupLevel::Day | GroupLevel::Week | GroupLevel::Month => None,
                GroupLevel::Member => Some(GroupKey::Own(Column::MemberId)),
                GroupLevel::Project => Some(GroupKey::Own(Column::ProjectId)),
                GroupLevel::Task => Some(GroupKey::Own(Column::TaskId)),
                GroupLevel::Tag => Some(GroupKey::Linked),
            };
        }
        Aggregation { keys, pieces: self.plan.0.iter().map(|(piece, _)| *piece).collect() }
    }

    /// The keys of a group, outer level first. Keys of time come from the bucket, others from the result.
    pub(super) fn keys(&self, piece: i64, found: [Option<Uuid>; 2]) -> Vec<Option<String>> {
        let piece = usize::try_from(piece).ok().and_then(|piece| self.plan.0.get(piece));
        let mut times = piece.into_iter().flat_map(|(_, keys)| keys.iter().cloned());
        let key = |(level, found): (&GroupLevel, Option<Uuid>)| match level.is_time() {
            true => times.next(),
            false => found.map(|id| id.to_string()),
        };
        self.levels.iter().zip(found).map(key).collect()
    }
}

impl BucketPlan {
    fn new(
        levels: &[GroupLevel],
        calendar: &Calendar,
        range: (DateTime<Utc>, DateTime<Utc>),
    ) -> Option<Self> {
        let whole = TimeBucket { from: range.0.timestamp(), until: range.1.timestamp() };
        let mut plan = Self(vec![(whole, Vec::new())]);
        for unit in levels.iter().filter_map(|level| level.unit()) {
            plan = plan.by(&calendar.buckets(unit, range, MOST_BUCKETS)?);
        }
        (plan.0.len() <= MOST_BUCKETS).then_some(plan)
    }

    /// Splits the buckets where others start. Both lists are sorted and cover the same range.
    fn by(self, buckets: &[Bucket]) -> Self {
        let mut pieces = Vec::new();
        let (mut whole, mut buckets) = (self.0.into_iter().peekable(), buckets.iter().peekable());
        while let (Some((piece, keys)), Some(bucket)) = (whole.peek(), buckets.peek()) {
            let from = piece.from.max(bucket.from);
            let until = piece.until.min(bucket.until);
            let keys = keys.iter().chain([&bucket.key]).cloned().collect();
            let (is_through, has_passed) = (piece.until == until, bucket.until == until);
            pieces.push((TimeBucket { from, until }, keys));
            whole.next_if(|_| is_through);
            buckets.next_if(|_| has_passed);
        }
        Self(pieces)
    }
}

impl GroupLevel {
    fn unit(self) -> Option<Unit> {
        match self {
            Self::Day => Some(Unit::Day),
            Self::Week => Some(Unit::Week),
            Self::Month => Some(Unit::Month),
            Self::Member | Self::Project | Self::Task | Self::Tag => None,
        }
    }
}

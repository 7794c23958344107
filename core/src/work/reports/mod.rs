//! Reports: sums of time by day, week, month, member, project, task or tag. They contain the time entries that the
//! caller can see and change nothing.
//!
//! The calendar is computed here ([`calendar`]), the sums in the database. An entry that crosses a bucket boundary is
//! split and counted in each bucket. A sum over several buckets counts it once.

mod calendar;
mod labels;
mod plan;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition};

use calendar::Calendar;
use labels::Labels;
use plan::GroupDepth;
pub use plan::MOST_BUCKETS;

use crate::{
    Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, ProjectId, TagId, TaskId},
        permissions::{ReportsRead, RequiredPermission},
        text::{InvalidText, TimeZone},
    },
    identity::users::{self, WeekStart},
    storage::db::{IntervalTable, OrgTx},
    tenancy::members,
    work::time_entries::{self, Column, LONGEST, time_entry_tags},
};

/// What a report can group by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLevel {
    /// Days in the time zone.
    Day,
    /// Weeks in the time zone.
    Week,
    /// Months in the time zone.
    Month,
    /// By member.
    Member,
    /// By project.
    Project,
    /// By task.
    Task,
    /// An entry counts in the group of each of its tags.
    Tag,
}

impl GroupLevel {
    const ALL: [(&str, Self); 7] = [
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("member", Self::Member),
        ("project", Self::Project),
        ("task", Self::Task),
        ("tag", Self::Tag),
    ];

    /// Whether the level groups by time.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }

    /// The level with this name; `None`: there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, level)| level)
    }
}

/// The range, the groups and the filters of a report.
#[derive(Clone, Debug)]
pub struct SummaryRequest {
    /// Inclusive, cut to whole seconds.
    pub from: DateTime<Utc>,
    /// Exclusive, cut to whole seconds.
    pub to: DateTime<Utc>,
    /// Outer level first, at most two, and not the same twice.
    pub levels: Vec<GroupLevel>,
    /// `None`: the caller's time zone, or UTC for superusers who are not members.
    pub timezone: Option<TimeZone>,
    /// `None`: the caller's setting, or Monday for superusers who are not members.
    pub week_start: Option<WeekStart>,
    /// Only entries of this member.
    pub member: Option<MemberId>,
    /// Only entries of this project.
    pub project: Option<ProjectId>,
    /// Only entries of this task.
    pub task: Option<TaskId>,
    /// Only entries with this tag.
    pub tag: Option<TagId>,
    /// Only billable entries, or only others.
    pub billable: Option<bool>,
}

/// The sum of some entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportTotal {
    /// Whole seconds.
    pub seconds: i64,
    /// Number of entries with time in it.
    pub entries: i64,
}

/// A group of entries.
#[derive(Clone, Debug)]
pub struct ReportGroup {
    /// A date, a month or an id; `None`: entries without one.
    pub key: Option<String>,
    /// Display name; `None`: there is none, or the caller cannot see it.
    pub label: Option<String>,
    /// The sum over all groups, each time entry counted once.
    pub total: ReportTotal,
    /// The groups of the next level; empty at the last level.
    pub groups: Vec<ReportGroup>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct SummaryReport {
    /// Inclusive.
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
    /// The time zone of days.
    pub timezone: TimeZone,
    /// The first day of weeks.
    pub week_start: WeekStart,
    /// The sum of all groups.
    pub total: ReportTotal,
    /// The groups of the outer level that have entries: chronological, otherwise longest time first.
    pub groups: Vec<ReportGroup>,
}

impl IntervalTable for time_entries::Entity {
    const START: Column = Column::StartedAt;
    const END: Column = Column::EndedAt;
    type Link = time_entry_tags::Entity;
    const ROW: time_entry_tags::Column = time_entry_tags::Column::TimeEntryId;
    const OTHER: time_entry_tags::Column = time_entry_tags::Column::TagId;
}

/// Sums up the time entries that the caller can see.
///
/// # Errors
/// `VALIDATION_FAILED` if `to` is not later than `from`, a level occurs twice, or there are more than two levels or
/// more than [`MOST_BUCKETS`] time buckets; `NOT_A_MEMBER` for superusers who cannot see the entries of others.
pub async fn summary(tx: &OrgTx<ReportsRead>, wanted: SummaryRequest) -> Result<SummaryReport> {
    let range = (truncate_to_seconds(wanted.from), truncate_to_seconds(wanted.to));
    let levels = &wanted.levels[..];
    let mut fields = FieldErrors::default();
    if range.0 >= range.1 {
        fields.add("to", "OUT_OF_RANGE", "Must be at least one second later than the start of the range.");
    }
    if levels.len() > 2 || matches!(levels, [one, other] if one == other) {
        fields.add("group_by", "NOT_UNIQUE", "Must be one or two different groupings.");
    }
    fields.into_result()?;

    let (timezone, week_start) = calendar_settings(tx, wanted.timezone.clone(), wanted.week_start).await?;
    let depths = plan::depths(levels, &Calendar::new(&timezone, week_start), range);
    let depths = depths.ok_or_else(|| {
        let message = format!(
            "That is more than {MOST_BUCKETS} days, weeks or months. Choose a shorter range or a larger unit."
        );
        ErrorCode::ValidationFailed
            .refuse_field("group_by", InvalidText { code: "TOO_MANY_BUCKETS", message })
    })?;
    let filter = entry_filter(tx, &wanted, range)?;
    let aggregations: Vec<_> = depths.iter().map(GroupDepth::aggregation).collect();
    let mut sums = tx.sums(&filter, &aggregations).await?;
    let mut names = Labels::new();
    for (position, level) in levels.iter().enumerate() {
        let found: BTreeSet<_> = sums.iter().filter_map(|sum| [sum.first, sum.second][position]).collect();
        names.extend(labels::labels(tx, *level, found.into_iter().collect()).await?);
    }

    // The total first, then the outer groups, then the inner groups.
    sums.sort_by_key(|sum| sum.question);
    let (mut total, mut groups, mut positions) = (ReportTotal::default(), Vec::new(), HashMap::new());
    for sum in sums {
        let depth = usize::try_from(sum.question).ok().and_then(|number| depths.get(number));
        let keys = depth.map(|depth| depth.keys(sum.piece, [sum.first, sum.second])).unwrap_or_default();
        let sum = ReportTotal { seconds: sum.seconds, entries: sum.entries };
        match &keys[..] {
            [] => total = sum,
            [outer] => {
                positions.insert(outer.clone(), groups.len());
                groups.push(ReportGroup::new(levels[0], outer, sum, &names));
            }
            [outer, inner, ..] => {
                let outer_group = positions.get(outer).and_then(|position| groups.get_mut(*position));
                outer_group.into_iter().for_each(|outer_group: &mut ReportGroup| {
                    outer_group.groups.push(ReportGroup::new(levels[1], inner, sum, &names));
                });
            }
        }
    }
    sort(&mut groups, levels);
    Ok(SummaryReport { from: range.0, to: range.1, timezone, week_start, total, groups })
}

/// Cuts a time to whole seconds.
fn truncate_to_seconds(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(instant.timestamp(), 0).unwrap_or(instant)
}

/// The time zone and the first day of the week: those of the request, else those of the caller.
async fn calendar_settings<P: RequiredPermission>(
    tx: &OrgTx<P>,
    timezone: Option<TimeZone>,
    week_start: Option<WeekStart>,
) -> Result<(TimeZone, WeekStart)> {
    if let (Some(timezone), Some(week_start)) = (&timezone, week_start) {
        return Ok((timezone.clone(), week_start));
    }
    let user = match tx.member() {
        Some(member) => {
            let own = members::Column::Id.eq(member);
            Some(tx.find::<members::Entity>().with::<users::Entity>().filter(own).one().await?.1)
        }
        None => None,
    };
    let user_timezone = user.as_ref().and_then(|user| TimeZone::parse(&user.timezone).ok());
    let first = user.as_ref().and_then(|user| WeekStart::parse(&user.week_start));
    Ok((
        timezone.or(user_timezone).unwrap_or_else(TimeZone::utc),
        week_start.or(first).unwrap_or(WeekStart::Monday),
    ))
}

/// The entries in the report: visible to the caller, matching the filters, and with time in the range. No entry is
/// longer than [`LONGEST`], so an index finds them.
fn entry_filter<P: RequiredPermission>(
    tx: &OrgTx<P>,
    wanted: &SummaryRequest,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Condition> {
    let is_running = (tx.now() > from).then(|| Column::EndedAt.is_null());
    let has_tag = wanted.tag.map(|tag| {
        tx.in_rows_of::<time_entry_tags::Entity>(
            Column::Id,
            time_entry_tags::Column::TimeEntryId,
            time_entry_tags::Column::TagId.eq(tag),
        )
    });
    Ok(Condition::all()
        .add(time_entries::visible(tx)?)
        .add(Column::StartedAt.gt(from - LONGEST))
        .add(Column::StartedAt.lt(to))
        .add(Condition::any().add(Column::EndedAt.gt(from)).add_option(is_running))
        .add_option(wanted.member.map(|member| Column::MemberId.eq(member)))
        .add_option(wanted.project.map(|project| Column::ProjectId.eq(project)))
        .add_option(wanted.task.map(|task| Column::TaskId.eq(task)))
        .add_option(has_tag)
        .add_option(wanted.billable.map(|billable| Column::Billable.eq(billable))))
}

impl ReportGroup {
    fn new(level: GroupLevel, key: &Option<String>, total: ReportTotal, names: &Labels) -> Self {
        let label = match level.is_time() {
            true => key.clone(),
            false => key.as_ref().and_then(|key| names.get(key)).cloned(),
        };
        Self { key: key.clone(), label, total, groups: vec![] }
    }
}

/// Sorts groups of time chronologically, and others by descending time, then by name.
fn sort(groups: &mut [ReportGroup], levels: &[GroupLevel]) {
    let Some((level, inner)) = levels.split_first() else { return };
    groups.iter_mut().for_each(|group| sort(&mut group.groups, inner));
    match level.is_time() {
        true => groups.sort_by(|one, other| one.key.cmp(&other.key)),
        false => groups.sort_by_cached_key(|it| {
            (Reverse(it.total.seconds), it.label.is_none(), it.label.clone(), it.key.clone())
        }),
    }
}

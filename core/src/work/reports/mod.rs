//! Reports: how much time was spent, when, by whom and on what. They look at time entries as their caller sees them, and
//! change nothing.
//!
//! Where days begin is reckoned here ([`calendar`]), what entries come to in the database. An entry that crosses a bucket is
//! split, and counted in each; in whatever is around those buckets it is counted once.

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

/// What entries can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLevel {
    /// Days of the time zone.
    Day,
    /// Weeks of such days.
    Week,
    /// Months of such days.
    Month,
    /// Who worked.
    Member,
    /// On which project.
    Project,
    /// On which task.
    Task,
    /// Under which tags: an entry counts in the group of each.
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

    /// Does it cut time, rather than tell entries apart?
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }

    /// That of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, level)| level)
    }
}

/// What a report is to tell.
#[derive(Clone, Debug)]
pub struct SummaryRequest {
    /// From this instant on; what is less than a second is cut off.
    pub from: DateTime<Utc>,
    /// Up to this instant, which is not in it; cut like `from`.
    pub to: DateTime<Utc>,
    /// The outer groups and those in them: at most two, and not twice the same.
    pub levels: Vec<GroupLevel>,
    /// Whose days; `None`: the caller's, or UTC's where he is no member.
    pub timezone: Option<TimeZone>,
    /// With which day weeks begin; `None`: as the caller's, or on Monday where he is no member.
    pub week_start: Option<WeekStart>,
    /// Only what this member worked.
    pub member: Option<MemberId>,
    /// Only what was worked on this project.
    pub project: Option<ProjectId>,
    /// Only what was worked on this task.
    pub task: Option<TaskId>,
    /// Only what has this tag.
    pub tag: Option<TagId>,
    /// Only what is to be paid for, or what is not.
    pub billable: Option<bool>,
}

/// What some entries come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportTotal {
    /// Whole seconds.
    pub seconds: i64,
    /// Entries that have a part in it.
    pub entries: i64,
}

/// Entries that have something in common.
#[derive(Clone, Debug)]
pub struct ReportGroup {
    /// A date, a month, or an id; `None`: of those that have none.
    pub key: Option<String>,
    /// What it is called; `None`: nothing, or nothing that the caller may know.
    pub label: Option<String>,
    /// What they come to.
    pub total: ReportTotal,
    /// The groups in it; empty at the last level.
    pub groups: Vec<ReportGroup>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct SummaryReport {
    /// From when on.
    pub from: DateTime<Utc>,
    /// Up to when.
    pub to: DateTime<Utc>,
    /// In whose days.
    pub timezone: TimeZone,
    /// With which day its weeks begin.
    pub week_start: WeekStart,
    /// What all of it comes to.
    pub total: ReportTotal,
    /// The outer groups that have any entry: of time one after the other, others from the most time to the least.
    pub groups: Vec<ReportGroup>,
}

impl IntervalTable for time_entries::Entity {
    const START: Column = Column::StartedAt;
    const END: Column = Column::EndedAt;
    type Link = time_entry_tags::Entity;
    const ROW: time_entry_tags::Column = time_entry_tags::Column::TimeEntryId;
    const OTHER: time_entry_tags::Column = time_entry_tags::Column::TagId;
}

/// Sums up the entries that the caller sees.
///
/// # Errors
/// `VALIDATION_FAILED`: `to` is not later than `from`, a level is named twice, there are more than two or more than
/// [`MOST_BUCKETS`] pieces of time; `NOT_A_MEMBER` for whoever has no time of his own and sees nobody else's.
pub async fn summary(tx: &OrgTx<ReportsRead>, wanted: SummaryRequest) -> Result<SummaryReport> {
    let range = (whole(wanted.from), whole(wanted.to));
    let levels = &wanted.levels[..];
    let mut fields = FieldErrors::default();
    if range.0 >= range.1 {
        fields.add("to", "OUT_OF_RANGE", "Must be at least one second later than `from`.");
    }
    if levels.len() > 2 || matches!(levels, [one, other] if one == other) {
        fields.add("group_by", "NOT_UNIQUE", "Must be one or two different groupings.");
    }
    fields.into_result()?;

    let (timezone, week_start) = days(tx, wanted.timezone.clone(), wanted.week_start).await?;
    let depths = plan::depths(levels, &Calendar::new(&timezone, week_start), range);
    let depths = depths.ok_or_else(|| {
        let message = format!(
            "That is more than {MOST_BUCKETS} days, weeks or months. Choose a shorter range or a larger unit."
        );
        ErrorCode::ValidationFailed
            .refuse_field("group_by", InvalidText { code: "TOO_MANY_BUCKETS", message })
    })?;
    let picked = picked(tx, &wanted, range)?;
    let questions: Vec<_> = depths.iter().map(GroupDepth::question).collect();
    let mut sums = tx.sums(&picked, &questions).await?;
    let mut names = Labels::new();
    for (place, level) in levels.iter().enumerate() {
        let found: BTreeSet<_> = sums.iter().filter_map(|sum| [sum.first, sum.second][place]).collect();
        names.extend(labels::labels(tx, *level, found.into_iter().collect()).await?);
    }

    // The whole first, then the outer groups, then those in them.
    sums.sort_by_key(|sum| sum.question);
    let (mut total, mut groups, mut places) = (ReportTotal::default(), Vec::new(), HashMap::new());
    for sum in sums {
        let depth = usize::try_from(sum.question).ok().and_then(|number| depths.get(number));
        let keys = depth.map(|depth| depth.keys(sum.piece, [sum.first, sum.second])).unwrap_or_default();
        let sum = ReportTotal { seconds: sum.seconds, entries: sum.entries };
        match &keys[..] {
            [] => total = sum,
            [outer] => {
                places.insert(outer.clone(), groups.len());
                groups.push(ReportGroup::new(levels[0], outer, sum, &names));
            }
            [outer, inner, ..] => {
                let around = places.get(outer).and_then(|place| groups.get_mut(*place));
                around.into_iter().for_each(|around: &mut ReportGroup| {
                    around.groups.push(ReportGroup::new(levels[1], inner, sum, &names));
                });
            }
        }
    }
    sort(&mut groups, levels);
    Ok(SummaryReport { from: range.0, to: range.1, timezone, week_start, total, groups })
}

/// The second that an instant is in.
fn whole(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(instant.timestamp(), 0).unwrap_or(instant)
}

/// The time zone and the first day of the week: those that were named, else the caller's.
async fn days<P: RequiredPermission>(
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
    let his = user.as_ref().and_then(|user| TimeZone::parse(&user.timezone).ok());
    let first = user.as_ref().and_then(|user| WeekStart::parse(&user.week_start));
    Ok((timezone.or(his).unwrap_or_else(TimeZone::utc), week_start.or(first).unwrap_or(WeekStart::Monday)))
}

/// The entries that count: which the caller sees, which are wanted, and which have a part in the range. No entry is longer
/// than [`LONGEST`], so an index finds them.
fn picked<P: RequiredPermission>(
    tx: &OrgTx<P>,
    wanted: &SummaryRequest,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Condition> {
    let runs = (tx.now() > from).then(|| Column::EndedAt.is_null());
    let tagged = wanted.tag.map(|tag| {
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
        .add(Condition::any().add(Column::EndedAt.gt(from)).add_option(runs))
        .add_option(wanted.member.map(|member| Column::MemberId.eq(member)))
        .add_option(wanted.project.map(|project| Column::ProjectId.eq(project)))
        .add_option(wanted.task.map(|task| Column::TaskId.eq(task)))
        .add_option(tagged)
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

/// Time by time; others from the most time to the least, then by their names.
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

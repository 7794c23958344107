//! `/organizations/{org}/reports`: what the time comes to.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::FieldErrors,
        ids::{MemberId, ProjectId, TagId, TaskId},
        permissions::ReportsRead,
        text,
    },
    work::reports::{self, GroupLevel, SummaryReport, SummaryRequest},
};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use crate::routes::{Tag, account::me::WeekStart};
use crate::{
    auth::tenant,
    http::{Id, JsonResponse, TimeZone},
    problem::Result,
    state::State,
};

pub struct ReportsApi(pub Arc<State>);

crate::texts! {
    /// What time is grouped by: one or two different ones of `day`, `week`, `month`, `member`, `project`, `task` and `tag`,
    /// with a comma between them.
    GroupBy {
        length: 3..=14,
        pattern: "^(day|week|month|member|project|task|tag)(,(day|week|month|member|project|task|tag))?$",
        example: "day,project",
    }
}

/// What the time of an organization comes to, as far as the caller sees it.
#[derive(Object, Serialize)]
struct Summary {
    /// From this instant on, to the second.
    from: DateTime<Utc>,
    /// Up to this instant, which is not in it.
    to: DateTime<Utc>,
    /// In whose days.
    timezone: TimeZone,
    /// The first day of its weeks.
    week_start: WeekStart,
    /// Whole seconds, each entry's once.
    total_seconds: i64,
    /// How many entries have a part in it.
    entries: i64,
    /// The groups that have any entry; none where nothing was to be grouped.
    groups: Vec<SummaryGroup>,
}

/// Entries that have something in common.
#[derive(Object, Serialize)]
struct SummaryGroup {
    /// A day (`2026-03-29`), the first day of a week, a month (`2026-03`), or an id; `null`: of what has none.
    #[oai(nullable)]
    key: Option<String>,
    /// What it is called; `null` also where the caller does not see what it is.
    #[oai(nullable)]
    label: Option<String>,
    /// Whole seconds, each entry's once.
    seconds: i64,
    /// How many entries have a part in it.
    entries: i64,
    /// The groups in it, where there are two levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<SummaryPart>>,
}

/// Entries of one group that have something else in common, too.
#[derive(Object, Serialize)]
struct SummaryPart {
    /// As that of a group.
    #[oai(nullable)]
    key: Option<String>,
    /// As that of a group.
    #[oai(nullable)]
    label: Option<String>,
    /// Whole seconds.
    seconds: i64,
    /// How many entries have a part in it.
    entries: i64,
}

#[OpenApi(tag = "Tag::Reports")]
impl ReportsApi {
    /// Sum up the time
    ///
    /// Of all entries that the caller sees and that have a part between `from` and `to`, only that part. An entry that
    /// crosses the end of a day, a week or a month is split and counted in each; one that runs lasts until now; one with
    /// several tags counts in the group of each. In whatever is around such groups it is counted once. Days, weeks and
    /// months come one after the other, other groups from the most time to the least. Not more than 400 pieces of time.
    #[oai(path = "/organizations/:org/reports/summary", method = "get", operation_id = "getReportSummary")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn summary(
        &self,
        org: tenant::Path<ReportsRead>,
        /// From this instant on.
        from: Query<DateTime<Utc>>,
        /// Up to this instant, which is not in it.
        to: Query<DateTime<Utc>>,
        group_by: Query<Option<GroupBy>>,
        /// In whose days; the caller's where it is not said.
        timezone: Query<Option<TimeZone>>,
        /// The first day of weeks; the caller's where it is not said.
        week_start: Query<Option<WeekStart>>,
        /// Only the time of this member.
        member_id: Query<Option<Id>>,
        /// Only time on this project.
        project_id: Query<Option<Id>>,
        /// Only time on this task.
        task_id: Query<Option<Id>>,
        /// Only time with this tag, by its id.
        tag: Query<Option<Id>>,
        /// Only time that is to be paid for, or that is not.
        billable: Query<Option<bool>>,
    ) -> Result<JsonResponse<Summary>> {
        let mut fields = FieldErrors::default();
        let timezone = timezone.0.map(|zone| text::TimeZone::parse(&zone.0));
        let timezone = fields.parse_optional("timezone", timezone);
        fields.into_result()?;
        let levels =
            group_by.0.iter().flat_map(|group_by| group_by.0.split(',')).filter_map(GroupLevel::parse);
        let wanted = SummaryRequest {
            from: from.0,
            to: to.0,
            levels: levels.collect(),
            timezone,
            week_start: week_start.0.map(Into::into),
            member: member_id.0.map(|id| MemberId(id.0)),
            project: project_id.0.map(|id| ProjectId(id.0)),
            task: task_id.0.map(|id| TaskId(id.0)),
            tag: tag.0.map(|id| TagId(id.0)),
            billable: billable.0,
        };
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(reports::summary(&tx, wanted).await?.into()))
    }
}

impl From<SummaryReport> for Summary {
    fn from(report: SummaryReport) -> Self {
        Self {
            from: report.from,
            to: report.to,
            timezone: TimeZone(report.timezone.into()),
            week_start: report.week_start.into(),
            total_seconds: report.total.seconds,
            entries: report.total.entries,
            groups: report.groups.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<reports::ReportGroup> for SummaryGroup {
    fn from(group: reports::ReportGroup) -> Self {
        // A group has an entry, and that entry is in a group inside, where there are any.
        let groups: Vec<_> = group.groups.into_iter().map(Into::into).collect();
        Self {
            key: group.key,
            label: group.label,
            seconds: group.total.seconds,
            entries: group.total.entries,
            groups: Some(groups).filter(|groups| !groups.is_empty()),
        }
    }
}

impl From<reports::ReportGroup> for SummaryPart {
    fn from(group: reports::ReportGroup) -> Self {
        let reports::ReportGroup { key, label, total, .. } = group;
        Self { key, label, seconds: total.seconds, entries: total.entries }
    }
}

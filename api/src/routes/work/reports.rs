//! `/organizations/{org}/reports`: totals of tracked time.

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

use crate::routes::{Tag, account::me::WeekStartName};
use crate::{
    auth::tenant,
    http::{Id, JsonResponse, TimeZone},
    problem::Result,
    state::AppState,
};

pub struct ReportsApi(pub Arc<AppState>);

crate::texts! {
    /// How to group the time: one or two different values of `day`, `week`, `month`, `member`, `project`,
    /// `task` and `tag`, separated by a comma.
    GroupBy {
        length: 3..=14,
        pattern: "^(day|week|month|member|project|task|tag)(,(day|week|month|member|project|task|tag))?$",
        example: "day,project",
    }
}

/// Totals of the tracked time of an organization that you can see.
#[derive(Object, Serialize)]
struct Summary {
    /// Start of the range, inclusive, in whole seconds.
    from: DateTime<Utc>,
    /// End of the range, exclusive, in whole seconds.
    to: DateTime<Utc>,
    /// The time zone in which days, weeks and months begin (IANA name).
    timezone: TimeZone,
    /// The first day of the week.
    week_start: WeekStartName,
    /// Total time in seconds. Each time entry is counted once.
    total_seconds: i64,
    /// Number of time entries that contribute to this total.
    entries: i64,
    /// Groups with at least one time entry. Empty without `group_by`.
    groups: Vec<SummaryGroup>,
}

/// A group of a summary report and its totals.
#[derive(Object, Serialize)]
struct SummaryGroup {
    /// What identifies the group: a day (`2026-03-29`), the first day of a week, a month (`2026-03`) or the
    /// id of a member, project, task or tag. `null` groups the entries that have none.
    #[oai(nullable)]
    key: Option<String>,
    /// Name of the member, project, task or tag. `null` if there is none, or if you cannot see it.
    #[oai(nullable)]
    label: Option<String>,
    /// Total time in seconds. Each time entry is counted once.
    seconds: i64,
    /// Number of time entries that contribute to this total.
    entries: i64,
    /// Groups inside this group. Present only if `group_by` has two values.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<SummaryPart>>,
}

/// An inner group of a summary report and its totals.
#[derive(Object, Serialize)]
struct SummaryPart {
    /// What identifies the inner group, in the same form as `key` of the outer group.
    #[oai(nullable)]
    key: Option<String>,
    /// Name of the inner group, in the same form as `label` of the outer group.
    #[oai(nullable)]
    label: Option<String>,
    /// Total time in seconds.
    seconds: i64,
    /// Number of time entries that contribute to this total.
    entries: i64,
}

#[OpenApi(tag = "Tag::Reports")]
impl ReportsApi {
    /// Get a time report
    ///
    /// Sums the time entries that you can see. Only the part between `from` and `to` counts, and a running
    /// entry lasts until now. An entry that crosses the end of a day, week or month is split and counted in
    /// each. An entry with several tags counts in the group of each tag; totals count it once.
    ///
    /// Days, weeks and months are sorted by date, other groups by time in descending order. A report has at
    /// most 400 days, weeks or months.
    #[oai(path = "/organizations/:org/reports/summary", method = "get", operation_id = "getReportSummary")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn summary(
        &self,
        org: tenant::Path<ReportsRead>,
        /// Start of the range, inclusive.
        from: Query<DateTime<Utc>>,
        /// End of the range, exclusive.
        to: Query<DateTime<Utc>>,
        group_by: Query<Option<GroupBy>>,
        /// The time zone in which days, weeks and months begin. Defaults to the one in your profile, or to
        /// UTC if you are a superuser and not a member.
        timezone: Query<Option<TimeZone>>,
        /// The first day of the week. Defaults to the one in your profile, or to Monday if you are a
        /// superuser and not a member.
        week_start: Query<Option<WeekStartName>>,
        /// Only time entries of this member.
        member_id: Query<Option<Id>>,
        /// Only time entries of this project.
        project_id: Query<Option<Id>>,
        /// Only time entries of this task.
        task_id: Query<Option<Id>>,
        /// Only time entries with this tag (its id).
        tag: Query<Option<Id>>,
        /// Only billable (`true`) or only non-billable (`false`) time entries.
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
        // Every group has an entry, and with two levels that entry is in an inner group: empty means one
        // level.
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

//! `/organizations/{org}/exports/{time-entries,tasks}.…`: export work data as files.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use futures_util::{Stream, stream};
use insula_core::{
    base::{
        error::FieldErrors,
        ids::{MemberId, ProjectId},
        permissions::{Authorized, ExportsCreate},
        text,
    },
    work::exports::{
        EntrySelection, ExportSelection, ExportedEntry, ExportedTask, TaskSelection, WorkExport,
    },
};
use poem_openapi::{OpenApi, param::Query};

use super::tasks::TaskStatusName;
use crate::routes::Tag;
use crate::{
    auth::tenant,
    http::{Csv, Download, FileFormat, Id, JsonLines, TableRow, TimeZone},
    problem::Result,
    state::AppState,
};

pub struct ExportsApi(pub Arc<AppState>);

/// Each response has the number of rows in `X-Total-Count`, and each export is recorded in the audit log.
#[OpenApi(tag = "Tag::Exports")]
impl ExportsApi {
    /// Export time entries as CSV
    ///
    /// Exports the time entries that you can see, in ascending order of `started_at`. `X-Total-Count` has the
    /// number of rows. The export is recorded in the audit log.
    ///
    /// The column `tags` has the names of the tags, separated by `;`. A `;` or `\` in a name is escaped with
    /// `\`. A cell that a spreadsheet could take for a formula, or that begins with an apostrophe, gets an
    /// apostrophe in front; remove one apostrophe when you read it. The import accepts such a file unchanged,
    /// with or without `bom` and in any `timezone`.
    #[oai(
        path = "/organizations/:org/exports/time-entries.csv",
        method = "get",
        operation_id = "exportTimeEntriesAsCsv"
    )]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn entries_as_csv(
        &self,
        org: tenant::Path<ExportsCreate>,
        /// Only time entries that ended after this time, or are running. A running entry counts as lasting at
        /// most 31 days.
        from: Query<Option<DateTime<Utc>>>,
        /// Only time entries that started before this time.
        to: Query<Option<DateTime<Utc>>>,
        /// Only time entries of this member.
        member_id: Query<Option<Id>>,
        /// Only time entries of this project.
        project_id: Query<Option<Id>>,
        /// The time zone in which times are written, with their UTC offset. Defaults to UTC.
        timezone: Query<Option<TimeZone>>,
        /// Whether the file begins with a byte order mark, which tells spreadsheets that it is UTF-8.
        /// Defaults to `false`.
        bom: Query<Option<bool>>,
    ) -> Result<Download<Csv<ExportedEntry>>> {
        let wanted = entries((from.0, to.0), member_id.0, project_id.0, timezone.0)?;
        let file = self.export(org.0, ("time-entries.csv", "csv"), wanted).await?;
        Ok(file.marked(bom.0 == Some(true)))
    }

    /// Export time entries as JSON Lines
    ///
    /// Exports the same time entries as the CSV export, one JSON object per line. `tags` has the names of the
    /// tags and `tag_ids` their ids, in the same order. `X-Total-Count` has the number of rows. The export is
    /// recorded in the audit log.
    #[oai(
        path = "/organizations/:org/exports/time-entries.jsonl",
        method = "get",
        operation_id = "exportTimeEntriesAsJsonLines"
    )]
    async fn entries_as_json_lines(
        &self,
        org: tenant::Path<ExportsCreate>,
        /// Only time entries that ended after this time, or are running. A running entry counts as lasting at
        /// most 31 days.
        from: Query<Option<DateTime<Utc>>>,
        /// Only time entries that started before this time.
        to: Query<Option<DateTime<Utc>>>,
        /// Only time entries of this member.
        member_id: Query<Option<Id>>,
        /// Only time entries of this project.
        project_id: Query<Option<Id>>,
        /// The time zone in which times are written, with their UTC offset. Defaults to UTC.
        timezone: Query<Option<TimeZone>>,
    ) -> Result<Download<JsonLines<ExportedEntry>>> {
        let wanted = entries((from.0, to.0), member_id.0, project_id.0, timezone.0)?;
        self.export(org.0, ("time-entries.jsonl", "jsonl"), wanted).await
    }

    /// Export tasks as CSV
    ///
    /// Exports the tasks that you can see, in ascending order of `created_at`. The format is that of the CSV
    /// export of time entries. `X-Total-Count` has the number of rows. The export is recorded in the audit
    /// log.
    #[oai(path = "/organizations/:org/exports/tasks.csv", method = "get", operation_id = "exportTasksAsCsv")]
    async fn tasks_as_csv(
        &self,
        org: tenant::Path<ExportsCreate>,
        /// Only tasks of this project.
        project_id: Query<Option<Id>>,
        /// Only tasks with this status.
        status: Query<Option<TaskStatusName>>,
        /// The time zone in which times are written, with their UTC offset. Defaults to UTC.
        timezone: Query<Option<TimeZone>>,
        /// Whether the file begins with a byte order mark, which tells spreadsheets that it is UTF-8.
        /// Defaults to `false`.
        bom: Query<Option<bool>>,
    ) -> Result<Download<Csv<ExportedTask>>> {
        let wanted = tasks(project_id.0, status.0, timezone.0)?;
        let file = self.export(org.0, ("tasks.csv", "csv"), wanted).await?;
        Ok(file.marked(bom.0 == Some(true)))
    }

    /// Export tasks as JSON Lines
    ///
    /// Exports the same tasks as the CSV export, one JSON object per line. `tags` has the names of the tags
    /// and `tag_ids` their ids, in the same order. `X-Total-Count` has the number of rows. The export is
    /// recorded in the audit log.
    #[oai(
        path = "/organizations/:org/exports/tasks.jsonl",
        method = "get",
        operation_id = "exportTasksAsJsonLines"
    )]
    async fn tasks_as_json_lines(
        &self,
        org: tenant::Path<ExportsCreate>,
        /// Only tasks of this project.
        project_id: Query<Option<Id>>,
        /// Only tasks with this status.
        status: Query<Option<TaskStatusName>>,
        /// The time zone in which times are written, with their UTC offset. Defaults to UTC.
        timezone: Query<Option<TimeZone>>,
    ) -> Result<Download<JsonLines<ExportedTask>>> {
        let wanted = tasks(project_id.0, status.0, timezone.0)?;
        self.export(org.0, ("tasks.jsonl", "jsonl"), wanted).await
    }
}

impl ExportsApi {
    /// Records the export with its format, and returns the file `name`.
    async fn export<S: ExportSelection, F: FileFormat<Part = S::Row>>(
        &self,
        proof: Authorized<ExportsCreate>,
        (name, format): (&'static str, &'static str),
        wanted: S,
    ) -> Result<Download<F>> {
        let export = WorkExport::begin(&self.0.db, &proof, wanted).await?;
        let tx = self.0.db.begin(proof).await?;
        export.note(&tx, format).await?;
        tx.commit().await?;
        let rows = export.rows();
        Ok(Download::new(name, parts(export)).of(rows))
    }
}

fn entries(
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    member: Option<Id>,
    project: Option<Id>,
    timezone: Option<TimeZone>,
) -> Result<EntrySelection> {
    let mut fields = FieldErrors::default();
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        fields.add("to", "OUT_OF_RANGE", "Must be later than the start of the range.");
    }
    let zone = zone(timezone, &mut fields);
    fields.into_result()?;
    let (member, project) = (member.map(|id| MemberId(id.0)), project.map(|id| ProjectId(id.0)));
    Ok(EntrySelection { from, to, member, project, zone })
}

fn tasks(
    project: Option<Id>,
    status: Option<TaskStatusName>,
    timezone: Option<TimeZone>,
) -> Result<TaskSelection> {
    let mut fields = FieldErrors::default();
    let zone = zone(timezone, &mut fields);
    fields.into_result()?;
    Ok(TaskSelection { project: project.map(|id| ProjectId(id.0)), status: status.map(Into::into), zone })
}

fn zone(timezone: Option<TimeZone>, fields: &mut FieldErrors) -> Option<text::TimeZone> {
    fields.parse_optional("timezone", timezone.map(|zone| text::TimeZone::parse(&zone.0)))
}

/// Streams the rows in batches. Each batch is read after the previous one was sent.
fn parts<S: ExportSelection>(
    export: WorkExport<S>,
) -> impl Stream<Item = std::result::Result<Vec<S::Row>, insula_core::Error>> + Send + 'static {
    stream::try_unfold(export, async |mut export| Ok(export.next().await?.map(|rows| (rows, export))))
}

impl TableRow for ExportedEntry {
    const HEADER: &'static [&'static str] = &[
        "id",
        "member_id",
        "member_email",
        "project_id",
        "project_code",
        "task_id",
        "activity",
        "notes",
        "started_at",
        "ended_at",
        "duration_seconds",
        "billable",
        "tags",
    ];

    fn cells(self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.member_id.to_string(),
            self.member_email.unwrap_or_default(),
            cell(self.project_id),
            self.project_code.unwrap_or_default(),
            cell(self.task_id),
            self.activity.unwrap_or_default(),
            self.notes.unwrap_or_default(),
            instant(self.started_at),
            cell(self.ended_at.map(instant)),
            cell(self.duration_seconds),
            self.billable.to_string(),
            list(&self.tags),
        ]
    }
}

impl TableRow for ExportedTask {
    const HEADER: &'static [&'static str] = &[
        "id",
        "title",
        "description",
        "status",
        "priority",
        "due_at",
        "project_id",
        "project_code",
        "assignee_id",
        "assignee_email",
        "position",
        "completed_at",
        "created_at",
        "updated_at",
        "tags",
    ];

    fn cells(self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.title,
            self.description.unwrap_or_default(),
            self.status.to_owned(),
            self.priority.to_owned(),
            cell(self.due_at.map(instant)),
            cell(self.project_id),
            self.project_code.unwrap_or_default(),
            cell(self.assignee_id),
            self.assignee_email.unwrap_or_default(),
            self.position.to_string(),
            cell(self.completed_at.map(instant)),
            instant(self.created_at),
            instant(self.updated_at),
            list(&self.tags),
        ]
    }
}

/// The value as text; empty for `None`.
fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn instant(instant: DateTime<FixedOffset>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Joins names with `;`, and escapes `;` and `\` in them with `\`.
pub(crate) fn list(names: &[String]) -> String {
    let escaped = names.iter().map(|name| name.replace('\\', r"\\").replace(';', r"\;"));
    escaped.collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn names_in_a_list_stay_apart() {
        for (names, cell) in [
            (&[][..], ""),
            (&["home"], "home"),
            (&["a", "b"], "a;b"),
            (&["a;b", "c"], r"a\;b;c"),
            (&[r"a\", "b"], r"a\\;b"),
        ] {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(list(&names), cell);
        }
    }
}

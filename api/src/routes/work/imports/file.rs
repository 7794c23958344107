//! Parses the CSV file of an import into rows.

use insula_core::{
    base::{
        error::{Error, FieldError, FieldErrors, MAX_FIELD_ERRORS},
        ids::{MemberId, ProjectId, TaskId, TimeEntryId},
        text::{self, InvalidText},
    },
    work::time_entries::{ImportMemberRef, ImportedEntry, MOST_ROWS, ProjectRef, RowError},
};
use uuid::Uuid;

use super::{
    layout::{self, Columns},
    refuse,
};

/// A parsed file: its valid rows, the number of invalid rows, and the first problems.
pub(super) struct File {
    pub(super) rows: Vec<ImportedEntry>,
    pub(super) faulty: usize,
    /// Number of rows that were running when they were exported. They are skipped.
    pub(super) running: usize,
    pub(super) faults: Vec<RowError>,
}

/// Parses a file. Empty rows are skipped and not counted.
///
/// # Errors
/// `VALIDATION_FAILED` if a column is unknown, duplicate or missing, or if there are too many rows.
pub(super) fn read(text: &str) -> Result<File, Error> {
    let (separator, text) = layout::separator(text);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(text.as_bytes());
    let broken = |_| refuse("", "INVALID_FORMAT", "Must be CSV (RFC 4180) with a header line.");
    let columns = Columns::read(reader.headers().map_err(broken)?)?;
    let mut file = File { rows: Vec::new(), faulty: 0, running: 0, faults: Vec::new() };
    let mut row = 0;
    for record in reader.records() {
        let record = record.map_err(broken)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        row += 1;
        if row > MOST_ROWS {
            return Err(refuse("", "TOO_MANY", format!("A file can have at most {MOST_ROWS} rows.")));
        }
        if is_running(&columns, &record) {
            file.running += 1;
            continue;
        }
        match entry(row, &columns, &record) {
            Ok(entry) => file.rows.push(entry),
            Err(faults) => {
                file.faulty += 1;
                // Problems of later rows would not be reported.
                if file.faults.len() < MAX_FIELD_ERRORS {
                    file.faults.extend(faults.into_iter().map(|fault| RowError { row, fault }));
                }
            }
        }
    }
    Ok(file)
}

/// Returns whether the row is a time entry that was running when it was exported.
fn is_running(columns: &Columns, record: &csv::StringRecord) -> bool {
    let cell = |column| columns.cell(record, column);
    entry_id(columns, record).is_some() && cell("started_at").is_some() && cell("ended_at").is_none()
}

/// The id of the time entry that the row was exported from. Ids of other programs are ignored.
fn entry_id(columns: &Columns, record: &csv::StringRecord) -> Option<TimeEntryId> {
    columns.cell(record, "id").and_then(|cell| id(cell).ok()).map(TimeEntryId)
}

/// Parses one row, or returns all its problems.
fn entry(
    row: usize,
    columns: &Columns,
    record: &csv::StringRecord,
) -> Result<ImportedEntry, Vec<FieldError>> {
    let mut fields = FieldErrors::default();
    if !columns.fit(record) {
        fields.add("", "WRONG_LENGTH", "Must have the same number of cells as the header.");
    }
    let cell = |column: &str| columns.cell(record, column);
    let email = fields.parse_optional("member_email", cell("member_email").map(text::EmailAddress::parse));
    let member = fields
        .parse_optional("member_id", cell("member_id").map(id))
        .map(|it| ImportMemberRef::Id(MemberId(it)));
    let code = fields.parse_optional("project_code", cell("project_code").map(text::ProjectCode::parse));
    let project = fields.parse_optional("project_id", cell("project_id").map(id));
    let task = fields.parse_optional("task_id", cell("task_id").map(id)).map(TaskId);
    let activity = fields.parse_optional("activity", cell("activity").map(text::Activity::parse));
    let notes = fields.parse_optional("notes", cell("notes").map(text::Notes::parse));
    let started_at =
        fields.parse("started_at", required(cell("started_at")).and_then(|cell| text::instant(cell.trim())));
    let ended_at =
        fields.parse("ended_at", required(cell("ended_at")).and_then(|cell| text::instant(cell.trim())));
    let billable = fields.parse_optional("billable", cell("billable").map(truth)).unwrap_or_default();
    let tags = cell("tags").map(names).unwrap_or_default();
    let tags: Vec<_> = tags.iter().filter_map(|it| fields.parse("tags", text::TagName::parse(it))).collect();
    match (fields.into_result(), started_at, ended_at) {
        (Ok(()), Some(started_at), Some(ended_at)) => Ok(ImportedEntry {
            row,
            id: entry_id(columns, record),
            member: email.map(ImportMemberRef::Email).or(member),
            project: code.map(ProjectRef::Code).or(project.map(|it| ProjectRef::Id(ProjectId(it)))),
            task,
            activity,
            notes,
            started_at,
            ended_at,
            billable,
            tags,
        }),
        (Err(Error::Invalid(_, faults)), ..) => Err(faults),
        _ => Err(Vec::new()),
    }
}

fn required(cell: Option<&str>) -> Result<&str, InvalidText> {
    cell.ok_or(InvalidText { code: "REQUIRED", message: "Is required.".to_owned() })
}

fn malformed<T>(what: &str) -> Result<T, InvalidText> {
    Err(InvalidText { code: "INVALID_FORMAT", message: format!("Must be {what}.") })
}

fn id(cell: &str) -> Result<Uuid, InvalidText> {
    Uuid::try_parse(cell.trim()).or_else(|_| malformed("a UUID"))
}

fn truth(cell: &str) -> Result<bool, InvalidText> {
    match &*cell.trim().to_ascii_lowercase() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => malformed("true or false"),
    }
}

/// Splits names at semicolons. A backslash escapes the next character.
fn names(cell: &str) -> Vec<String> {
    let (mut names, mut name, mut escaped) = (Vec::new(), String::new(), false);
    for c in cell.chars() {
        match c {
            c if escaped => {
                name.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            ';' => names.push(std::mem::take(&mut name)),
            c => name.push(c),
        }
    }
    names.push(name);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn names_that_were_written_are_read(tags in proptest::collection::vec("[a;\\\\\"', é]{1,6}", 1..5)) {
            proptest::prop_assert_eq!(names(&crate::routes::work::exports::list(&tags)), tags);
        }
    }

    #[test]
    fn names_are_between_semicolons() {
        assert_eq!(names("a;b c"), ["a", "b c"]);
        assert_eq!(names(r"a\;b;c\\"), ["a;b", r"c\"]);
        assert_eq!(names("a;"), ["a", ""]);
    }

    #[test]
    fn a_file_of_a_spreadsheet_says_the_same() {
        let said = |text: &str| {
            let file = read(text).unwrap();
            assert_eq!((file.faulty, file.rows.len()), (0, 1), "{text:?}: {:?}", file.faults);
            let row = &file.rows[0];
            let tags = row.tags.iter().map(|tag| tag.as_str().to_owned()).collect::<Vec<_>>();
            (row.started_at, row.billable, row.notes.clone().map(String::from), tags)
        };
        let plain = said(
            "started_at,ended_at,billable,notes,tags\n2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,true,\"a;b\nc\",x;y\n",
        );
        for text in [
            "Started_At;ENDED_AT;Billable;notes;tags\r\n2026-03-02T08:00:00Z;2026-03-02T09:00:00Z;TRUE;\"a;b\nc\";\"x;y\"\r\n;;;;\r\n",
            "started_at\tended_at\tbillable\tnotes\ttags\r2026-03-02T09:00:00+01:00\t2026-03-02 09:00:00Z\tYes\t\"a;b\nc\"\tx;y\r\t\t\t\t\r",
            "sep=;\r\nstarted at;ended at;billable;notes;tags;;\r\n\r\n2026-03-02T08:00:00Z;2026-03-02T09:00:00Z;1;\"a;b\nc\";\"x;y\";;\r\n",
        ] {
            assert_eq!(said(text), plain, "{text:?}");
        }
    }

    #[test]
    fn what_was_running_when_it_was_exported_is_passed_over() {
        let file = read(
            "id,started_at,ended_at\n01890a5d-ac96-774b-bcce-b302099a8057,2026-03-02T08:00:00Z,\n17,2026-03-02T08:00:00Z,\n",
        );
        let file = file.unwrap();
        assert_eq!((file.rows.len(), file.running, file.faulty), (0, 1, 1));
        assert_eq!((file.faults[0].row, file.faults[0].fault.code), (2, "REQUIRED"));
    }

    #[test]
    fn a_file_is_read_cell_by_cell() {
        let file = read(
            "started_at,ended_at,notes\n2026-03-02T08:00:00Z,2026-03-02T09:00:00+00:00,'=1\n\n,x,\n1,2\n",
        );
        let file = file.unwrap();
        assert_eq!((file.rows.len(), file.faulty), (1, 2));
        assert_eq!(String::from(file.rows[0].notes.clone().unwrap()), "=1");
        let faults: Vec<_> =
            file.faults.iter().map(|it| format!("{} {} {}", it.row, it.fault.field, it.fault.code)).collect();
        assert_eq!(
            faults,
            [
                "2 started_at REQUIRED",
                "2 ended_at INVALID_FORMAT",
                "3  WRONG_LENGTH",
                "3 started_at INVALID_FORMAT",
                "3 ended_at INVALID_FORMAT"
            ]
        );
    }
}

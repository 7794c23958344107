//! Reading the CSV of an import: cell by cell into what the rows mean.

use std::collections::HashMap;

use insula_core::{
    error::{Error, FieldError, Fields, MOST_FAULTS},
    ids::{MemberId, ProjectId, TaskId},
    text::{self, Fault},
    time_entries::{ImportedEntry, MOST_ROWS, MemberRef, ProjectRef, RowFault},
};
use uuid::Uuid;

use super::refuse;

/// The columns that there may be; those of the export.
const COLUMNS: [&str; 13] = [
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

/// A file: its sound rows, how many others there are, and what is wrong with the first of those.
pub(super) struct File {
    pub(super) rows: Vec<ImportedEntry>,
    pub(super) faulty: usize,
    pub(super) faults: Vec<RowFault>,
}

/// Reads a file.
///
/// # Errors
/// `VALIDATION_FAILED` when it has a column that is unknown or there twice, lacks one, or has too many rows.
pub(super) fn read(text: &str) -> Result<File, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let broken = |_| refuse("", "INVALID_FORMAT", "Must be CSV (RFC 4180), with a header.");
    let columns = header(reader.headers().map_err(broken)?)?;
    let mut file = File { rows: Vec::new(), faulty: 0, faults: Vec::new() };
    for (row, record) in (1..).zip(reader.records()) {
        if row > MOST_ROWS {
            return Err(refuse("", "TOO_MANY", format!("A file has {MOST_ROWS} rows at most.")));
        }
        match entry(row, &columns, &record.map_err(broken)?) {
            Ok(entry) => file.rows.push(entry),
            Err(faults) => {
                file.faulty += 1;
                // Those of later rows would not be told.
                if file.faults.len() < MOST_FAULTS {
                    file.faults.extend(faults.into_iter().map(|fault| RowFault { row, fault }));
                }
            }
        }
    }
    Ok(file)
}

/// Where each column is.
fn header(names: &csv::StringRecord) -> Result<HashMap<&'static str, usize>, Error> {
    let mut columns = HashMap::new();
    let mut fields = Fields::default();
    for (at, name) in names.iter().enumerate() {
        let shown: String = name.trim().chars().take(100).collect();
        match COLUMNS.iter().find(|column| **column == shown) {
            None => fields.refuse(&shown, "UNKNOWN_COLUMN", "There is no such column."),
            Some(column) if columns.insert(*column, at).is_some() => {
                fields.refuse(&shown, "DUPLICATE_COLUMN", "This column is there twice.");
            }
            Some(_) => {}
        }
    }
    for needed in ["started_at", "ended_at"] {
        if !columns.contains_key(needed) {
            fields.refuse(needed, "REQUIRED", "This column is required.");
        }
    }
    fields.finish().map(|()| columns)
}

/// What a row means, or everything that is wrong with it.
fn entry(
    row: usize,
    columns: &HashMap<&'static str, usize>,
    record: &csv::StringRecord,
) -> Result<ImportedEntry, Vec<FieldError>> {
    let mut fields = Fields::default();
    if record.len() != columns.len() {
        fields.refuse("", "WRONG_LENGTH", "Must have as many cells as the header.");
    }
    // An empty cell says nothing.
    let cell = |column: &str| {
        let cell = columns.get(column).and_then(|at| record.get(*at)).map(plain)?;
        Some(cell).filter(|cell| !cell.trim().is_empty())
    };
    let email = fields.take_optional("member_email", cell("member_email").map(text::EmailAddress::parse));
    let member =
        fields.take_optional("member_id", cell("member_id").map(id)).map(|it| MemberRef::Id(MemberId(it)));
    let code = fields.take_optional("project_code", cell("project_code").map(text::ProjectCode::parse));
    let project = fields.take_optional("project_id", cell("project_id").map(id));
    let task = fields.take_optional("task_id", cell("task_id").map(id)).map(TaskId);
    let activity = fields.take_optional("activity", cell("activity").map(text::Activity::parse));
    let notes = fields.take_optional("notes", cell("notes").map(text::Notes::parse));
    let started_at = fields.take("started_at", required(cell("started_at")).and_then(|cell| text::instant(cell.trim())));
    let ended_at = fields.take("ended_at", required(cell("ended_at")).and_then(|cell| text::instant(cell.trim())));
    let billable = fields.take_optional("billable", cell("billable").map(truth)).unwrap_or_default();
    let tags = cell("tags").map(names).unwrap_or_default();
    let tags: Vec<_> = tags.iter().filter_map(|it| fields.take("tags", text::TagName::parse(it))).collect();
    match (fields.finish(), started_at, ended_at) {
        (Ok(()), Some(started_at), Some(ended_at)) => Ok(ImportedEntry {
            row,
            member: email.map(MemberRef::Email).or(member),
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

/// A cell without the apostrophe that keeps spreadsheets from taking it for a formula.
fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn required(cell: Option<&str>) -> Result<&str, Fault> {
    cell.ok_or(Fault { code: "REQUIRED", message: "Is required.".to_owned() })
}

fn malformed<T>(what: &str) -> Result<T, Fault> {
    Err(Fault { code: "INVALID_FORMAT", message: format!("Must be {what}.") })
}

fn id(cell: &str) -> Result<Uuid, Fault> {
    Uuid::try_parse(cell.trim()).or_else(|_| malformed("an id"))
}

fn truth(cell: &str) -> Result<bool, Fault> {
    match cell.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => malformed("`true` or `false`"),
    }
}

/// The names between semicolons; a backslash takes the next character as it is.
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

    #[test]
    fn names_are_between_semicolons() {
        assert_eq!(names("a;b c"), ["a", "b c"]);
        assert_eq!(names(r"a\;b;c\\"), ["a;b", r"c\"]);
        assert_eq!(names("a;"), ["a", ""]);
    }

    #[test]
    fn a_file_is_read_cell_by_cell() {
        let file = read(
            "\u{feff}started_at,ended_at,notes\n2026-03-02T08:00:00Z,2026-03-02T09:00:00+00:00,'=1\n\n,x,\n1,2\n",
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

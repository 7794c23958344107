//! How a CSV is laid out: what stands between its cells, and which column is where.

use std::collections::HashMap;

use insula_core::base::error::{Error, FieldErrors};

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

/// What spreadsheets put between cells, by the country they are in.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Which column is where.
pub(super) struct Columns {
    places: HashMap<&'static str, usize>,
    width: usize,
}

/// What stands between the cells of a file, and the file from its header on: the separator that a first line `sep=;` names,
/// as Excel has it, else the one by which most columns are known.
pub(super) fn separator(text: &str) -> (u8, &str) {
    let (first, rest) = text.split_once(['\r', '\n']).unwrap_or((text, ""));
    if let Some([separator]) = first.strip_prefix("sep=").map(str::as_bytes) {
        return (*separator, rest.trim_start_matches(['\r', '\n']));
    }
    let known = |separator: &u8| {
        let mut reader = csv::ReaderBuilder::new().delimiter(*separator).from_reader(text.as_bytes());
        let header = reader.headers().map(|header| header.iter().filter_map(column).count());
        header.unwrap_or_default()
    };
    // Of equal ones the first.
    let separator = SEPARATORS.iter().rev().max_by_key(|separator| known(separator));
    (separator.copied().unwrap_or(b','), text)
}

/// The column that a header names, in whatever case.
fn column(name: &str) -> Option<&'static str> {
    let name = name.trim().to_ascii_lowercase().replace(' ', "_");
    COLUMNS.into_iter().find(|column| *column == name)
}

impl Columns {
    /// Reads the header. What is empty at its end is no column: spreadsheets leave such traces.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when it has a column that is unknown or there twice, or lacks one.
    pub(super) fn read(header: &csv::StringRecord) -> Result<Self, Error> {
        let named = header.iter().enumerate().filter(|(_, name)| !name.trim().is_empty());
        let width = named.last().map_or(0, |(last, _)| last + 1);
        let (mut places, mut fields) = (HashMap::new(), FieldErrors::default());
        for (place, name) in header.iter().take(width).enumerate() {
            let shown: String = name.trim().chars().take(100).collect();
            match column(name) {
                None => fields.add(&shown, "UNKNOWN_COLUMN", "This is not a known column."),
                Some(column) if places.insert(column, place).is_some() => {
                    fields.add(&shown, "DUPLICATE_COLUMN", "This column occurs twice.");
                }
                Some(_) => {}
            }
        }
        for needed in ["started_at", "ended_at"] {
            if !places.contains_key(needed) {
                fields.add(needed, "REQUIRED", "This column is required.");
            }
        }
        fields.into_result().map(|()| Self { places, width })
    }

    /// Has a row as many cells as there are columns? More only where they are empty.
    pub(super) fn fit(&self, row: &csv::StringRecord) -> bool {
        row.len() >= self.width && row.iter().skip(self.width).all(|cell| cell.trim().is_empty())
    }

    /// The cell of a row in a column; `None`: it is empty, and says nothing.
    pub(super) fn cell<'row>(&self, row: &'row csv::StringRecord, column: &str) -> Option<&'row str> {
        let cell = self.places.get(column).and_then(|place| row.get(*place))?;
        // Without the apostrophe that keeps spreadsheets from taking it for a formula.
        let cell = cell.strip_prefix('\'').unwrap_or(cell);
        Some(cell).filter(|cell| !cell.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::{Csv, Format, Table};

    struct Row(String, String);

    impl Table for Row {
        const HEADER: &'static [&'static str] = &["started_at", "activity", "notes", "ended_at"];

        fn cells(self) -> Vec<String> {
            vec!["x".to_owned(), self.0, self.1, String::new()]
        }
    }

    proptest! {
        #[test]
        fn a_cell_that_was_written_is_read(
            activity in "(?s).{0,20}",
            notes in "[=+@'\\\"\\-\t\r\n,;|a ]{0,12}",
        ) {
            let mut file = Csv::<Row>::head().unwrap();
            file.extend(Csv::write(vec![Row(activity.clone(), notes.clone())]).unwrap());
            let file = String::from_utf8(file).unwrap();
            let (separator, text) = separator(&file);
            let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
            let columns = Columns::read(reader.headers().unwrap()).unwrap();
            let record = reader.records().next().unwrap().unwrap();
            prop_assert!(columns.fit(&record));
            for (column, written) in [("activity", &activity), ("notes", &notes)] {
                let said = Some(&**written).filter(|written| !written.trim().is_empty());
                prop_assert_eq!(columns.cell(&record, column), said);
            }
        }
    }

    #[test]
    fn the_separator_is_the_one_by_which_columns_are_known() {
        for (text, expected) in [
            ("", b','),
            ("started_at,ended_at\n", b','),
            ("started_at;ended_at\r\n", b';'),
            ("started_at\tended_at\ttags\ra\tb\tc;d,e\r", b'\t'),
            ("\"Started At\";ENDED_AT;notes, and more", b';'),
            ("sep=|\r\nstarted_at|ended_at\r\n", b'|'),
        ] {
            assert_eq!(separator(text).0, expected, "{text:?}");
        }
        assert_eq!(separator("sep=;\r\nstarted_at;ended_at\r\n"), (b';', "started_at;ended_at\r\n"));
    }

    #[test]
    fn what_is_empty_at_the_end_is_no_column() {
        let columns =
            Columns::read(&csv::StringRecord::from(vec!["STARTED_AT ", "Ended at", "", ""])).unwrap();
        let row = |cells: &[&str]| csv::StringRecord::from(cells.to_vec());
        assert!(columns.fit(&row(&["a", "b"])) && columns.fit(&row(&["a", "b", "", " "])));
        assert!(!columns.fit(&row(&["a"])) && !columns.fit(&row(&["a", "b", "c"])));
        assert_eq!(columns.cell(&row(&["'=1", " "]), "started_at"), Some("=1"));
        assert_eq!(columns.cell(&row(&["'=1", " "]), "ended_at"), None);
    }
}

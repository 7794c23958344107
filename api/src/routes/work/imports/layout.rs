//! The layout of a CSV file: its separator and the positions of its columns.

use std::collections::HashMap;

use insula_core::base::error::{Error, FieldErrors};

/// The known columns, which are those of the export.
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

/// The separators that spreadsheets use, depending on the locale.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The position of each column.
pub(super) struct Columns {
    places: HashMap<&'static str, usize>,
    width: usize,
}

/// Returns the separator of a file, and the file from its header on. The separator is the one in a first line
/// such as `sep=;`, as Excel writes it; otherwise the one with which most columns are known.
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
    // Of equal ones, `max_by_key` returns the last: reversed, that is the first.
    let separator = SEPARATORS.iter().rev().max_by_key(|separator| known(separator));
    (separator.copied().unwrap_or(b','), text)
}

/// The known column with this name, regardless of case.
fn column(name: &str) -> Option<&'static str> {
    let name = name.trim().to_ascii_lowercase().replace(' ', "_");
    COLUMNS.into_iter().find(|column| *column == name)
}

impl Columns {
    /// Parses the header. Empty names at its end, as some spreadsheets write them, are ignored.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` if a column is unknown, duplicate or missing.
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

    /// Returns whether a row has as many cells as there are columns. Additional cells must be empty.
    pub(super) fn fit(&self, row: &csv::StringRecord) -> bool {
        row.len() >= self.width && row.iter().skip(self.width).all(|cell| cell.trim().is_empty())
    }

    /// The cell of a row in a column. `None` if it is empty or there is no such column.
    pub(super) fn cell<'row>(&self, row: &'row csv::StringRecord, column: &str) -> Option<&'row str> {
        let cell = self.places.get(column).and_then(|place| row.get(*place))?;
        // Remove the apostrophe that keeps spreadsheets from reading the cell as a formula.
        let cell = cell.strip_prefix('\'').unwrap_or(cell);
        Some(cell).filter(|cell| !cell.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::{Csv, FileFormat, TableRow};

    struct Row(String, String);

    impl TableRow for Row {
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

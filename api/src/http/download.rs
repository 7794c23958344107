//! File downloads that are streamed: of any length, and never completely in memory.

use std::{io, marker::PhantomData};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use insula_core::Error;
use poem::{
    Body, IntoResponse, Response,
    http::{HeaderName, HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use serde::Serialize;

/// How a file is written.
pub trait FileFormat: Send + 'static {
    /// The type of its parts.
    type Part: Send + 'static;
    /// The media type of the file.
    const MEDIA_TYPE: &'static str;

    /// The start of the file.
    ///
    /// # Errors
    /// Only when it cannot be written.
    fn head() -> io::Result<Vec<u8>>;

    /// Writes some parts.
    ///
    /// # Errors
    /// Only when a part cannot be written.
    fn write(parts: Vec<Self::Part>) -> io::Result<Vec<u8>>;
}

/// One JSON text per line.
pub struct JsonLines<T = insula_core::storage::audit_chain::ExportLine>(PhantomData<fn() -> T>);

/// Comma-separated values (RFC 4180), with a header.
pub struct Csv<T>(PhantomData<fn() -> T>);

/// A type whose values are rows of a table.
pub trait TableRow: Send + 'static {
    /// The names of the columns.
    const HEADER: &'static [&'static str];

    /// The cells of the row, one per column.
    fn cells(self) -> Vec<String>;
}

impl<T: Serialize + Send + 'static> FileFormat for JsonLines<T> {
    type Part = T;
    const MEDIA_TYPE: &'static str = "application/x-ndjson";

    fn head() -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn write(parts: Vec<T>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(parts.len() * 1024);
        for part in parts {
            serde_json::to_writer(&mut bytes, &part)?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

impl<T: TableRow> FileFormat for Csv<T> {
    type Part = T;
    const MEDIA_TYPE: &'static str = "text/csv";

    fn head() -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(T::HEADER)?;
        writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    fn write(parts: Vec<T>) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for part in parts {
            writer.write_record(part.cells().into_iter().map(escape_formula))?;
        }
        writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// A cell that spreadsheets do not take for a formula (OWASP: CSV injection). A cell that could be one, or
/// that starts with an apostrophe, gets an apostrophe in front. Programs that read the file back remove one
/// leading apostrophe.
fn escape_formula(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

/// The header with the number of rows of a file.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// 200 with a file.
pub struct Download<F> {
    name: &'static str,
    rows: Option<u64>,
    body: Body,
    format: PhantomData<fn() -> F>,
}

impl<F: FileFormat> Download<F> {
    /// A file with this name and these parts. If a part cannot be read, the response is cut off, so that
    /// clients notice that the file is incomplete.
    pub fn new(
        name: &'static str,
        parts: impl Stream<Item = Result<Vec<F::Part>, Error>> + Send + 'static,
    ) -> Self {
        let written = parts.map(|parts| {
            let parts = parts.map_err(|error| {
                tracing::error!(%error, "a download was interrupted");
                io::Error::other("interrupted")
            });
            parts.and_then(F::write).map(Bytes::from)
        });
        let head = stream::once(async { F::head().map(Bytes::from) });
        let body = Body::from_bytes_stream(head.chain(written));
        Self { name, rows: None, body, format: PhantomData }
    }

    /// Adds a byte order mark at the start if `is_wanted`. Spreadsheets then read the CSV as UTF-8.
    pub fn marked(self, is_wanted: bool) -> Self {
        if !is_wanted {
            return self;
        }
        let mark = stream::once(async { Ok(Bytes::from_static("\u{feff}".as_bytes())) });
        Self { body: Body::from_bytes_stream(mark.chain(self.body.into_bytes_stream())), ..self }
    }

    /// Adds the number of rows, so that clients can show the progress.
    pub fn of(self, rows: u64) -> Self {
        Self { rows: Some(rows), ..self }
    }
}

impl<F: FileFormat> IntoResponse for Download<F> {
    fn into_response(self) -> Response {
        let mut response =
            Response::builder().content_type(format!("{}; charset=utf-8", F::MEDIA_TYPE)).body(self.body);
        let named = format!("attachment; filename=\"{}\"", self.name);
        if let Ok(named) = HeaderValue::from_str(&named) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, named);
        }
        if let Some(rows) = self.rows {
            response.headers_mut().insert(TOTAL_COUNT, rows.into());
        }
        response
    }
}

impl<F: FileFormat> ApiResponse for Download<F> {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = vec![MetaMediaType { content_type: F::MEDIA_TYPE, schema }];
        let description = "The file, streamed.";
        let rows = MetaHeader {
            name: "X-Total-Count".to_owned(),
            description: Some(
                "Number of rows when the download started. Absent if they were not counted.".to_owned(),
            ),
            required: false,
            deprecated: false,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("integer", "uint64"))),
        };
        let headers = vec![rows];
        let response = MetaResponse { description, status: Some(200), status_range: None, content, headers };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str);

    impl TableRow for Row {
        const HEADER: &'static [&'static str] = &["first", "second"];

        fn cells(self) -> Vec<String> {
            vec![self.0.to_owned(), "b".to_owned()]
        }
    }

    #[test]
    fn a_cell_is_never_a_formula_and_stays_one_cell() {
        assert_eq!(Csv::<Row>::head().unwrap(), b"first,second\n");
        for (cell, written) in [
            ("plain", "plain,b\n"),
            ("=1+1", "'=1+1,b\n"),
            ("@SUM(A1)", "'@SUM(A1),b\n"),
            ("-1", "'-1,b\n"),
            ("'=1+1", "''=1+1,b\n"),
            ("a,\"b\"\nc", "\"a,\"\"b\"\"\nc\",b\n"),
        ] {
            assert_eq!(Csv::write(vec![Row(cell)]).unwrap(), written.as_bytes());
        }
    }
}

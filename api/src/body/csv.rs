//! CSV bodies (RFC 4180) with a header, in any encoding that spreadsheets write. The handler parses their
//! content.

use encoding_rs::{Encoding, UTF_8};
use insula_core::base::error::{Error, ErrorCode, FieldError};
use poem::{
    Request, RequestBody,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use sha2::{Digest, Sha256};

use super::bytes_of;
use crate::problem::Problem;

/// Content types that programs use for CSV. Browsers on Windows know only the second one.
const TYPES: [&str; 4] = ["text/csv", "application/vnd.ms-excel", "application/csv", "text/plain"];

/// The body of a request with a CSV file.
#[derive(Debug)]
pub struct CsvBody {
    /// Decoded text, without a byte order mark.
    pub text: String,
    /// SHA-256 of the bytes of the body.
    pub digest: [u8; 32],
}

/// The encoding named by a content type (WHATWG Encoding §4.2), or UTF-8. `None`: the type is not CSV, or the
/// encoding is unknown.
fn named(content_type: &str) -> Option<&'static Encoding> {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next()?;
    TYPES.iter().find(|accepted| essence.eq_ignore_ascii_case(accepted))?;
    // Other parameters, such as `header=present`, are ignored: the file shows this itself.
    let mut parameters = parts.filter_map(|part| part.split_once('='));
    match parameters.rfind(|(name, _)| name.trim().eq_ignore_ascii_case("charset")) {
        None => Some(UTF_8),
        Some((_, label)) => Encoding::for_label(label.trim().trim_matches('"').as_bytes()),
    }
}

/// Decodes `bytes` with the encoding of their byte order mark, or else with the `named` one.
fn decode(bytes: &[u8], named: &'static Encoding) -> Result<String, FieldError> {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, &bytes[length..]),
        None => (named, bytes),
    };
    let field_error = |code, message| FieldError { field: String::new(), code, message };
    // In UTF-16 decoded as UTF-8, every other byte is U+0000, and the rest may be invalid UTF-8.
    let nul = || {
        let message = "Must not contain the character U+0000. If the file is UTF-16, start it with a byte order mark, or name its encoding in the content type, as in text/csv; charset=utf-16le.";
        field_error("NUL_CHARACTER", message.to_owned())
    };
    if encoding == UTF_8 && bytes.contains(&0) {
        return Err(nul());
    }
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    let text = text.ok_or_else(|| match std::str::from_utf8(bytes) {
        Err(err) if encoding == UTF_8 => field_error(
            "INVALID_UTF8",
            format!(
                "Is not valid UTF-8 (byte {}). Save the file as “CSV UTF-8”, or name its encoding in the content type, as in text/csv; charset=windows-1252.",
                err.valid_up_to()
            ),
        ),
        _ => field_error("INVALID_ENCODING", format!("Is not valid {}.", encoding.name())),
    })?;
    match text.contains('\0') {
        false => Ok(text.into_owned()),
        true => Err(nul()),
    }
}

impl<'a> ApiExtractor<'a> for CsvBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let example = "started_at,ended_at,project_code\n2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,ENGINE\n";
        let schema = MetaSchema { example: Some(example.into()), ..MetaSchema::new("string") };
        let schema = MetaSchemaRef::Inline(Box::new(schema));
        // The standard type; the description of the operation names the others.
        let content = vec![MetaMediaType { content_type: TYPES[0], schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = bytes_of(request, body, |content_type| named(content_type).is_some()).await?;
        let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::to_str);
        let encoding = content_type.and_then(Result::ok).and_then(named).unwrap_or(UTF_8);
        let digest = Sha256::digest(&bytes).into();
        let text = decode(&bytes, encoding)
            .map_err(|error| Problem(Error::Invalid(ErrorCode::BadRequest, vec![error])))?;
        Ok(Self { text, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, bytes: &[u8]) -> Result<String, String> {
        let encoding = named(content_type).ok_or("415")?;
        decode(bytes, encoding).map_err(|error| error.code.to_owned())
    }

    #[test]
    fn all_content_types_of_csv_are_accepted() {
        for good in [
            "text/csv",
            "Text/CSV; charset=UTF-8; header=present",
            "text/csv;charset=\"utf-8\"",
            "application/vnd.ms-excel",
            "application/csv; charset=us-ascii",
            "text/plain;charset=utf8",
        ] {
            assert_eq!(read(good, b"a,b"), Ok("a,b".to_owned()), "{good}");
        }
        for bad in ["", "application/json", "text/csv; charset=klingon", "text/html", "multipart/form-data"] {
            assert_eq!(read(bad, b"a,b"), Err("415".to_owned()), "{bad}");
        }
    }

    #[test]
    fn the_encoding_is_that_of_the_mark_else_the_named_one_else_utf_8() {
        let utf_16 =
            |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
        for (content_type, bytes) in [
            ("text/csv", "Zoë".as_bytes().to_vec()),
            ("text/csv", "\u{feff}Zoë".as_bytes().to_vec()),
            ("text/csv; charset=windows-1252", "\u{feff}Zoë".as_bytes().to_vec()),
            ("text/csv; charset=windows-1252", b"Zo\xeb".to_vec()),
            ("text/csv; charset=ISO-8859-1", b"Zo\xeb".to_vec()),
            ("text/csv", utf_16("\u{feff}Zoë", u16::to_le_bytes)),
            ("text/plain", utf_16("\u{feff}Zoë", u16::to_be_bytes)),
            ("text/csv; charset=utf-16le", utf_16("Zoë", u16::to_le_bytes)),
            ("text/csv; charset=utf-16be", utf_16("Zoë", u16::to_be_bytes)),
        ] {
            assert_eq!(read(content_type, &bytes).as_deref(), Ok("Zoë"), "{content_type} {bytes:?}");
        }
        for (content_type, bytes, code) in [
            ("text/csv", b"Zo\xeb,".to_vec(), "INVALID_UTF8"),
            ("text/csv", utf_16("ab", u16::to_le_bytes), "NUL_CHARACTER"),
            ("text/csv; charset=utf-16le", b"a\0b".to_vec(), "INVALID_ENCODING"),
        ] {
            assert_eq!(read(content_type, &bytes), Err(code.to_owned()), "{content_type} {bytes:?}");
        }
    }
}

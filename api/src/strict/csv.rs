//! CSV bodies (RFC 4180), in UTF-8, with a header. What they say is their handler's to read.

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use sha2::{Digest, Sha256};

use insula_core::error::Code;

use super::bytes;
use crate::problem::Problem;

const CSV: &str = "text/csv";

/// A CSV body.
#[derive(Debug)]
pub struct CsvBody {
    /// What it says.
    pub text: String,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
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
        let content = vec![MetaMediaType { content_type: CSV, schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = bytes(request, body, &[CSV]).await?;
        let digest = Sha256::digest(&bytes).into();
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Problem(Code::BadRequest.refuse()))?;
        Ok(Self { text, digest })
    }
}

//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a retried request is executed once.

use std::sync::Arc;

use insula_core::{
    base::{
        error::{Error, ErrorCode, FieldError},
        permissions::AuditOrigin,
    },
    storage::idempotency::IdempotentRequest,
};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
};

use crate::{body::StrictJson, operations::Operation, problem::Problem};

/// Maximum length of a key, in characters.
const MAX: usize = 255;

/// The key of the request, if it has one. Its argument must be named `Idempotency-Key`.
pub struct IdempotencyKey {
    key: Option<String>,
    operation: Option<Arc<Operation>>,
}

impl IdempotencyKey {
    /// The key with `origin` and the digest of the body, to execute the request once.
    pub fn once<T>(self, origin: &AuditOrigin, body: &StrictJson<T>) -> Option<IdempotentRequest> {
        self.once_bytes(origin, body.digest?)
    }

    /// Like [`IdempotencyKey::once`], for a body with this SHA-256 digest.
    pub fn once_bytes(self, origin: &AuditOrigin, body_sha256: [u8; 32]) -> Option<IdempotentRequest> {
        let (user, operation_id) = (origin.actor.user()?, self.operation?.id);
        Some(IdempotentRequest { user, operation_id, key: self.key?, body_sha256 })
    }
}

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = false;

    type ParamType = String;
    type ParamRawType = String;

    fn register(_: &mut Registry) {}

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            min_length: Some(1),
            max_length: Some(MAX),
            pattern: Some("^[!-~]+$".into()),
            description: Some(
                "A unique key for this request, chosen by you. A retry with the same key and body gets the stored \
                 response instead of a second execution. Keys are kept for 24 hours.",
            ),
            example: Some("0d6f2c9e-order-17".into()),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        let operation = request.data::<Arc<Operation>>().cloned();
        let Some(value) = request.headers().get(options.name) else {
            return Ok(Self { key: None, operation });
        };
        let key = value
            .to_str()
            .ok()
            .filter(|key| (1..=MAX).contains(&key.len()) && key.chars().all(|c| c.is_ascii_graphic()));
        let field_error = || FieldError {
            field: options.name.to_owned(),
            code: "INVALID_FORMAT",
            message: format!("Must be 1 to {MAX} visible ASCII characters."),
        };
        let key =
            key.ok_or_else(|| Problem(Error::Invalid(ErrorCode::ValidationFailed, vec![field_error()])))?;
        Ok(Self { key: Some(key.to_owned()), operation })
    }
}

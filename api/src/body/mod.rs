//! Request bodies: read once, strictly, and checked against the very schema the document publishes.
//!
//! `poem_openapi::payload::Json` takes numbers for strings, lets the last of two equal keys win, ignores what it does
//! not know and stops at the first fault. [`StrictJson`] and [`MergePatch`] refuse all of that and report every wrong
//! field at once.
//!
//! **The rule of null**: it is accepted where the schema says so and nowhere else. A field that may be null says
//! `#[oai(nullable)]`, also when its type is `Option` or `MaybeUndefined`: those alone mean "may be absent".
//!
//! Forms: `#[oai(validator(pattern = …))]` compiles its expression once more for every request. String types made by
//! [`texts!`](crate::texts) carry length, form and example in their schema, and only the check looks at them.

mod csv;
mod nullable;

use bytes::Bytes;
use insula_core::base::error::ErrorCode;
use poem::{
    Request, RequestBody,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::ParseFromJSON,
};
use sha2::{Digest, Sha256};

pub use csv::CsvBody;
pub use nullable::Nullable;

use crate::{operations, problem::Problem, schema::read};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A JSON body that fits the schema of `T` (RFC 8259).
#[derive(Debug)]
pub struct StrictJson<T> {
    /// What the body says.
    pub value: T,
    /// SHA-256 of the bytes, if the request has an `Idempotency-Key`: two requests are the same if it is.
    pub digest: Option<[u8; 32]>,
}

/// A JSON merge patch that fits the schema of `T`: absent is unchanged, null is cleared (RFC 7396).
///
/// Its refusal waits for the handler, since a patch is of something, and who asks for what is not his learns nothing of
/// the body he sent. To look for it first would cost every good request a query.
#[derive(Debug)]
pub struct MergePatch<T>(poem::Result<T>);

/// A JSON body that fits the schema of `T` and takes the place of what is there. Its refusal waits for the handler, as that
/// of a [`MergePatch`].
#[derive(Debug)]
pub struct Replacement<T>(poem::Result<T>);

/// A JSON body that fits the schema of `T`, or none.
#[derive(Debug)]
pub struct OptionalJson<T>(pub Option<T>);

/// Is `content_type` one of `accepted`, in UTF-8 (RFC 9110 §8.3)?
fn is_accepted(content_type: &str, accepted: &[&str]) -> bool {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    accepted.iter().any(|accepted| essence.trim().eq_ignore_ascii_case(accepted))
        && matches!(&*parameters, "" | "charset=utf-8" | "charset=\"utf-8\"")
}

/// The bytes of a body of one of the `accepted` types.
async fn bytes(request: &Request, body: &mut RequestBody, accepted: &[&str]) -> poem::Result<Bytes> {
    bytes_of(request, body, |content_type| is_accepted(content_type, accepted)).await
}

/// The bytes of a body whose type is a `sound` one.
async fn bytes_of(
    request: &Request,
    body: &mut RequestBody,
    sound: impl Fn(&str) -> bool,
) -> poem::Result<Bytes> {
    let unsupported = || Problem(ErrorCode::UnsupportedMediaType.refuse());
    let is_plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    let is_typed = |value: &HeaderValue| value.to_str().is_ok_and(&sound);
    // Of two types, somebody else may have believed the other.
    let types: Vec<_> = request.headers().get_all(header::CONTENT_TYPE).iter().collect();
    let is_sound = types.len() < 2 && types.iter().all(|value| is_typed(value));
    if !is_sound || !request.headers().get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Err(unsupported().into());
    }
    operations::check_query(request).map_err(Problem)?;
    let bytes = body.take()?.into_bytes().await?;
    // No body at all is a forgotten body, not one of an unknown type.
    match !types.is_empty() || bytes.is_empty() {
        true => Ok(bytes),
        false => Err(unsupported().into()),
    }
}

impl<T: ParseFromJSON + 'static> StrictJson<T> {
    async fn read(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = bytes(request, body, &[JSON]).await?;
        let has_key = request.headers().contains_key("idempotency-key");
        let digest = has_key.then(|| Sha256::digest(&bytes).into());
        Ok(Self { value: read(&bytes).map_err(Problem)?, digest })
    }
}

impl<T: ParseFromJSON + 'static> OptionalJson<T> {
    async fn read(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = bytes(request, body, &[JSON]).await?;
        let body = (!bytes.is_empty()).then(|| read(&bytes)).transpose();
        Ok(Self(body.map_err(Problem)?))
    }
}

impl<T: ParseFromJSON + 'static> Replacement<T> {
    async fn read(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = bytes(request, body, &[JSON]).await;
        Ok(Self(bytes.and_then(|bytes| Ok(read(&bytes).map_err(Problem)?))))
    }

    /// What the body says.
    ///
    /// # Errors
    /// Why it is refused: to be told only to who may know of what he replaces.
    pub fn body(self) -> Result<T, Problem> {
        Ok(self.0?)
    }
}

impl<T: ParseFromJSON + 'static> MergePatch<T> {
    async fn read(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = bytes(request, body, &[JSON, MERGE_PATCH]).await;
        Ok(Self(bytes.and_then(|bytes| Ok(read(&bytes).map_err(Problem)?))))
    }

    /// What the body says.
    ///
    /// # Errors
    /// Why it is refused: to be told only to who may know of what he patches.
    pub fn body(self) -> Result<T, Problem> {
        Ok(self.0?)
    }
}

macro_rules! bodies { ($($name:ident: $accepted:expr, $required:literal);+) => {$(
    impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for $name<T> {
        const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

        type ParamType = ();
        type ParamRawType = ();

        fn register(registry: &mut Registry) {
            T::register(registry);
        }

        fn request_meta() -> Option<MetaRequest> {
            let content = $accepted.map(|content_type| MetaMediaType { content_type, schema: T::schema_ref() });
            Some(MetaRequest { description: None, content: content.into(), required: $required })
        }

        async fn from_request(
            request: &'a Request,
            body: &mut RequestBody,
            _: ExtractParamOptions<()>,
        ) -> poem::Result<Self> {
            Self::read(request, body).await
        }
    }
)+}}
bodies!(StrictJson: [JSON], true; Replacement: [JSON], true; OptionalJson: [JSON], false; MergePatch: [JSON, MERGE_PATCH], true);

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn media_types() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json ; charset=\"utf-8\""]
        {
            assert!(is_accepted(good, &[JSON]), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/vnd.x+json",
            "application/json; charset=latin1",
            "application/json; v=1",
            MERGE_PATCH,
        ] {
            assert!(!is_accepted(bad, &[JSON]), "{bad}");
        }
        assert!(is_accepted(MERGE_PATCH, &[JSON, MERGE_PATCH]));
    }
}

//! Request bodies, parsed strictly and once, and checked against the schema that the document publishes.
//!
//! `poem_openapi::payload::Json` accepts numbers for strings, uses the last of two equal keys, ignores
//! unknown fields and stops at the first error. [`StrictJson`] and [`MergePatch`] refuse all of that and
//! report every wrong field at once.
//!
//! **Rule for null**: it is accepted only where the schema allows it. A field that can be null has
//! `#[oai(nullable)]`, even if its type is `Option` or `MaybeUndefined`, which only mean "may be absent".
//!
//! **Patterns**: `#[oai(validator(pattern = …))]` compiles its expression again for every request. String
//! types made by [`texts!`](crate::texts) have length, pattern and example in their schema, and only the
//! compiled schema checks them.

mod csv;
mod nullable;

use bytes::Bytes;
use insula_core::base::error::{Error, ErrorCode};
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
pub use nullable::{Nullable, parse_change};

use crate::{operations, problem::Problem, schema::read};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A JSON body that matches the schema of `T` (RFC 8259).
#[derive(Debug)]
pub struct StrictJson<T> {
    /// The parsed body.
    pub value: T,
    /// SHA-256 of the bytes, if the request has an `Idempotency-Key`. Two requests are the same if it is
    /// equal.
    pub digest: Option<[u8; 32]>,
}

/// A JSON merge patch that matches the schema of `T`: absent fields stay unchanged, null clears (RFC 7396).
///
/// The handler decides when to report an error of the body. A caller who cannot see the object to patch must
/// learn nothing about the body. Looking for the object first would cost every valid request a query.
#[derive(Debug)]
pub struct MergePatch<T>(poem::Result<T>);

/// A JSON body that matches the schema of `T` and replaces the stored value. The handler reports its error,
/// as for a [`MergePatch`].
#[derive(Debug)]
pub struct Replacement<T>(poem::Result<T>);

/// An optional JSON body that matches the schema of `T`.
#[derive(Debug)]
pub struct OptionalJson<T>(pub Option<T>);

/// Returns whether `content_type` is one of `accepted`, in UTF-8 (RFC 9110 §8.3).
fn is_accepted(content_type: &str, accepted: &[&str]) -> bool {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    accepted.iter().any(|accepted| essence.trim().eq_ignore_ascii_case(accepted))
        && matches!(&*parameters, "" | "charset=utf-8" | "charset=\"utf-8\"")
}

/// Reads the bytes of a body with one of the `accepted` types.
async fn bytes(request: &Request, body: &mut RequestBody, accepted: &[&str]) -> poem::Result<Bytes> {
    bytes_of(request, body, |content_type| is_accepted(content_type, accepted)).await
}

/// Reads the bytes of a body whose type is `is_accepted`.
async fn bytes_of(
    request: &Request,
    body: &mut RequestBody,
    is_accepted: impl Fn(&str) -> bool,
) -> poem::Result<Bytes> {
    let unsupported = || Problem(ErrorCode::UnsupportedMediaType.refuse());
    let is_plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    let is_typed = |value: &HeaderValue| value.to_str().is_ok_and(&is_accepted);
    // With two types, a proxy may have used the other one.
    let types: Vec<_> = request.headers().get_all(header::CONTENT_TYPE).iter().collect();
    let is_sound = types.len() < 2 && types.iter().all(|value| is_typed(value));
    if !is_sound || !request.headers().get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Err(unsupported().into());
    }
    operations::check_query(request).map_err(Problem)?;
    let bytes = body.take()?.into_bytes().await?;
    // A missing body is reported as such, not as one of an unknown type.
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

    /// The parsed body.
    ///
    /// # Errors
    /// The error of the body. Report it only to callers who can see the object that they replace.
    pub fn body(self) -> Result<T, Problem> {
        Ok(self.0?)
    }
}

impl<T: ParseFromJSON + 'static> MergePatch<T> {
    async fn read(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = bytes(request, body, &[JSON, MERGE_PATCH]).await;
        Ok(Self(bytes.and_then(|bytes| Ok(read(&bytes).map_err(Problem)?))))
    }

    /// The parsed body.
    ///
    /// # Errors
    /// The error of the body. Report it only to callers who can see the object that they patch.
    pub fn body(self) -> Result<T, Problem> {
        Ok(self.0?)
    }

    /// The changes that the body asks for.
    ///
    /// # Errors
    /// As for [`MergePatch::body`].
    pub fn changes<C: TryFrom<T, Error = Error>>(self) -> Result<C, Problem> {
        Ok(C::try_from(self.body()?)?)
    }
}

/// Returns `body`. If the body has an error, `lookup` decides whether the caller can see the object to change, and
/// its error comes first. A valid body costs no query, because `lookup` does not run.
///
/// # Errors
/// The error of `lookup`, or else that of the body.
pub async fn missing_first<T>(
    body: Result<T, Problem>,
    lookup: impl Future<Output = Result<(), Error>>,
) -> Result<T, Problem> {
    if body.is_err() {
        lookup.await?;
    }
    body
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

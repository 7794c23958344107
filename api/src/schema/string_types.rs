//! String types of the API, whose length and pattern are part of their schema.

/// Declares string types with a length in characters, a pattern or format, and an example:
///
/// ```text
/// texts! {
///     /// The slug of an organization.
///     Slug { length: 2..=63, pattern: "^[a-z0-9](-?[a-z0-9])*$", example: "acme" }
/// }
/// ```
///
/// Only the schema checks them, so take them from [`StrictJson`](crate::body::StrictJson),
/// [`MergePatch`](crate::body::MergePatch) or a query parameter.
#[macro_export]
macro_rules! texts { ($(
    $(#[$doc:meta])* $name:ident { length: $length:expr, $(pattern: $pattern:expr,)? $(format: $format:literal,)? example: $example:literal $(,)? }
)+) => {$(
    $(#[$doc])*
    #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize)]
    #[serde(transparent)]
    pub struct $name(pub String);

    $crate::schema::scalar!(
        $name,
        {
            let length: ::std::ops::RangeInclusive<usize> = $length;
            ::poem_openapi::registry::MetaSchema {
                min_length: Some(*length.start()),
                max_length: Some(*length.end()),
                pattern: None$(.or(Some(String::from($pattern))))?,
                format: None$(.or(Some($format)))?,
                example: Some($example.into()),
                ..::poem_openapi::registry::MetaSchema::new("string")
            }
        },
        |text| Ok(Self(text.to_owned()))
    );

    impl ::poem_openapi::types::ParseFromJSON for $name {
        fn parse_from_json(value: Option<::serde_json::Value>) -> ::poem_openapi::types::ParseResult<Self> {
            match value.unwrap_or_default() {
                ::serde_json::Value::String(text) => Ok(Self(text)),
                value => Err(::poem_openapi::types::ParseError::expected_type(value)),
            }
        }
    }

    impl ::poem_openapi::types::ToJSON for $name {
        fn to_json(&self) -> Option<::serde_json::Value> {
            Some(self.0.clone().into())
        }
    }

    impl From<$name> for String {
        fn from(text: $name) -> Self {
            text.0
        }
    }
)+}}

//! The parameter `sort` of lists: the name of a key, with `-` in front of it for descending order.

use std::borrow::Cow;

use insula_core::base::pagination::Sort;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromParameter, ParseResult, Type},
};
use serde_json::Value;

/// The keys that a list can be sorted by, and their schema. [`sort_keys!`] implements it.
pub trait ListKey: Copy + Send + Sync + 'static {
    /// Name of the schema in the document.
    const SCHEMA: &'static str;
    /// Description of the schema in the document.
    const DESCRIPTION: &'static str;
    /// Each key with its name in requests.
    const KEYS: &'static [(&'static str, Self)];
}

/// The requested sort order of a list.
#[derive(Clone, Copy, Debug)]
pub struct ListSort<K>(Sort<K>);

impl<K> ListSort<K> {
    /// From the lowest to the highest value of `key`.
    pub const fn ascending(key: K) -> Self {
        Self(Sort { key, descending: false })
    }

    /// From the highest to the lowest value of `key`.
    pub const fn descending(key: K) -> Self {
        Self(Sort { key, descending: true })
    }
}

impl<K> From<ListSort<K>> for Sort<K> {
    fn from(ListSort(sort): ListSort<K>) -> Self {
        sort
    }
}

impl<K: ListKey> Type for ListSort<K> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        K::SCHEMA.into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(K::SCHEMA.to_owned())
    }

    fn register(registry: &mut Registry) {
        let names = K::KEYS.iter().flat_map(|(name, _)| [Value::from(*name), format!("-{name}").into()]);
        registry.create_schema::<Self, _>(K::SCHEMA.to_owned(), |_| MetaSchema {
            description: Some(K::DESCRIPTION),
            enum_items: names.collect(),
            ..MetaSchema::new("string")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<K: ListKey> ParseFromParameter for ListSort<K> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let known = K::KEYS.iter().find(|(known, _)| *known == name);
        let sort = known.map(|(_, key)| Self(Sort { key: *key, descending }));
        sort.ok_or_else(|| ParseError::custom("expected a sort order"))
    }
}

/// Declares the sort orders of a list, a line per key: its name in requests, and the key. The string is a second
/// sentence of the description, where the list needs one.
///
/// ```text
/// sort_keys! {
///     pub(super) TaskSort of TaskKey, "`position` is the manual order of the tasks.";
///     created_at: CreatedAt,
///     position: Position,
/// }
/// ```
macro_rules! sort_keys {
    ($visibility:vis $sort:ident of $key:ident $(, $more:literal)?; $($name:ident: $variant:ident,)+) => {
        /// The requested sort order of the list.
        $visibility type $sort = $crate::http::ListSort<$key>;

        impl $crate::http::ListKey for $key {
            const SCHEMA: &'static str = stringify!($sort);
            const DESCRIPTION: &'static str = concat!("Sort order. `-` means descending." $(, " ", $more)?);
            const KEYS: &'static [(&'static str, Self)] = &[$((stringify!($name), Self::$variant)),+];
        }
    };
}

pub(crate) use sort_keys;

//! Compiled schemas: a `MetaSchema` with its references resolved to indexes, `allOf` merged and patterns
//! compiled.

mod check;
mod parse;
mod path;
mod read;
pub(crate) mod scalar;
mod string_types;

use std::{
    any::TypeId,
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use insula_core::{base::text, identity::credentials};
#[cfg(test)]
pub(crate) use parse::parse;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::ParseFromJSON,
};
pub(crate) use read::read;
use regex::Regex;
pub(crate) use scalar::scalar;
use serde_json::Value;

/// A compiled schema. The check against it is in `check.rs`.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(super) root: Node,
    pub(super) named: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) nullable: bool,
    pub(super) choices: Vec<Value>,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    Any,
    Named(usize),
    Bool,
    Text {
        min: usize,
        max: usize,
        /// `Some(None)` if the expression does not compile, which refuses every value.
        pattern: Option<Option<Regex>>,
        format: Option<StringFormat>,
    },
    Number {
        integer: Option<(i128, i128)>,
        min: Option<Bound>,
        max: Option<Bound>,
        step: Option<f64>,
    },
    List {
        item: Box<Node>,
        min: usize,
        max: usize,
        unique: bool,
    },
    Record {
        fields: BTreeMap<&'static str, Field>,
        rest: Option<Box<Node>>,
        min: usize,
        max: usize,
    },
    OneOf {
        arms: Vec<Node>,
        tag: Option<(&'static str, Vec<(String, usize)>)>,
    },
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) node: Node,
    pub(super) required: bool,
    pub(super) read_only: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) value: f64,
    pub(super) exclusive: bool,
}

/// The formats that the check knows. `T::parse_from_json` checks all others.
#[derive(Clone, Copy, Debug)]
pub(super) enum StringFormat {
    Uuid,
    DateTime,
    Date,
    /// Any text. Its characters are counted after the normalization of passwords.
    Password,
}

impl StringFormat {
    fn named(name: &str) -> Option<Self> {
        match name {
            "uuid" => Some(Self::Uuid),
            "date-time" => Some(Self::DateTime),
            "date" | "naive-date" => Some(Self::Date),
            "password" => Some(Self::Password),
            _ => None,
        }
    }

    /// Why `text` does not have this format (RFC 9562 §4, RFC 3339 §5.6); `None` if it has. Stricter than the parsing
    /// crates, which accept more than the documented format.
    pub(super) fn error(self, text: &str) -> Option<String> {
        let unless = |is_valid: bool, sentence: &str| (!is_valid).then(|| sentence.to_owned());
        match self {
            Self::Uuid => unless(text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(), "Must be a UUID."),
            Self::DateTime => match text::instant(text) {
                Err(error) => Some(error.message),
                Ok(_) => unless(text.as_bytes().get(10) == Some(&b'T'), "Must have a T before the time."),
            },
            Self::Date => {
                let is_date = text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok();
                unless(is_date, "Must be a date such as 2026-01-31.")
            }
            Self::Password => None,
        }
    }

    /// Number of characters of `text` that count for the length.
    pub(super) fn length(format: Option<Self>, text: &str) -> usize {
        match format {
            Some(Self::Password) => credentials::length(text),
            _ => text.chars().count(),
        }
    }
}

/// The range of an integer format of poem-openapi.
pub(crate) fn integer_range(format: &str) -> (i128, i128) {
    match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        // Client languages and database columns do not support more than i64.
        "uint64" => (0, i64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

impl Schema {
    /// The schema of `T`, compiled at first use.
    pub(crate) fn of<T: ParseFromJSON + 'static>() -> Arc<Self> {
        static COMPILED: LazyLock<RwLock<HashMap<TypeId, Arc<Schema>>>> = LazyLock::new(RwLock::default);
        let id = TypeId::of::<T>();
        if let Some(schema) = COMPILED.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return schema.clone();
        }
        let mut registry = Registry::new();
        T::register(&mut registry);
        let schema = Arc::new(Self::compile(&registry, &T::schema_ref()));
        COMPILED.write().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert(schema).clone()
    }

    /// Compiles `schema`, whose references are in `registry`.
    pub(crate) fn compile(registry: &Registry, schema: &MetaSchemaRef) -> Self {
        let mut compiler = Compiler { registry, index: HashMap::new(), named: vec![] };
        let root = compiler.node(schema);
        Self { root, named: compiler.named }
    }
}

struct Compiler<'a> {
    registry: &'a Registry,
    index: HashMap<&'a str, usize>,
    named: Vec<Node>,
}

impl<'a> Compiler<'a> {
    fn node(&mut self, schema: &'a MetaSchemaRef) -> Node {
        match schema {
            MetaSchemaRef::Inline(schema) => self.schema(schema),
            MetaSchemaRef::Reference(name) => Node::new(NodeKind::Named(self.named(name))),
        }
    }

    fn named(&mut self, name: &'a str) -> usize {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        let at = self.named.len();
        self.index.insert(name, at);
        // A node that recursive types can refer to.
        self.named.push(Node::new(NodeKind::Any));
        if let Some(schema) = self.registry.schemas.get(name) {
            self.named[at] = self.schema(schema);
        }
        at
    }

    fn schema(&mut self, s: &'a MetaSchema) -> Node {
        let kind = match s.ty {
            // A union of poem-openapi has `type: object` as well.
            _ if !s.one_of.is_empty() || !s.any_of.is_empty() => self.one_of(s),
            "boolean" => NodeKind::Bool,
            "string" => NodeKind::Text {
                min: s.min_length.unwrap_or(0),
                max: s.max_length.unwrap_or(usize::MAX),
                pattern: s.pattern.as_deref().filter(is_checked).map(|pattern| Regex::new(pattern).ok()),
                format: s.format.and_then(StringFormat::named),
            },
            "integer" | "number" => {
                let bound = |value: Option<f64>, exclusive: Option<bool>| {
                    value.map(|value| Bound { value, exclusive: exclusive == Some(true) })
                };
                NodeKind::Number {
                    integer: (s.ty == "integer").then(|| integer_range(s.format.unwrap_or_default())),
                    min: bound(s.minimum, s.exclusive_minimum),
                    max: bound(s.maximum, s.exclusive_maximum),
                    step: s.multiple_of,
                }
            }
            "array" => NodeKind::List {
                item: Box::new(
                    s.items.as_ref().map_or_else(|| Node::new(NodeKind::Any), |item| self.node(item)),
                ),
                min: s.min_items.unwrap_or(0),
                max: s.max_items.unwrap_or(usize::MAX),
                unique: s.unique_items == Some(true),
            },
            "object" => self.record(s),
            _ => match &s.all_of[..] {
                [] => NodeKind::Any,
                // The result of `MetaSchemaRef::merge` for a reference with a description or a default.
                [reference @ MetaSchemaRef::Reference(_), MetaSchemaRef::Inline(extra)]
                    if extra.properties.is_empty() =>
                {
                    self.node(reference).kind
                }
                _ => self.record(s),
            },
        };
        Node { kind, nullable: s.nullable, choices: s.enum_items.clone() }
    }

    fn record(&mut self, s: &'a MetaSchema) -> NodeKind {
        let mut fields = BTreeMap::new();
        self.fold(s, &mut fields);
        NodeKind::Record {
            fields,
            rest: s.additional_properties.as_ref().map(|rest| Box::new(self.node(rest))),
            min: s.min_properties.unwrap_or(0),
            max: s.max_properties.unwrap_or(usize::MAX),
        }
    }

    /// Collects the fields of `s` and of all schemas it is composed of.
    fn fold(&mut self, s: &'a MetaSchema, into: &mut BTreeMap<&'static str, Field>) {
        for (name, property) in &s.properties {
            let read_only = matches!(property, MetaSchemaRef::Inline(property) if property.read_only);
            let required = s.required.contains(name) && !read_only;
            into.insert(name, Field { node: self.node(property), required, read_only });
        }
        for part in &s.all_of {
            let part = match part {
                MetaSchemaRef::Inline(part) => Some(&**part),
                MetaSchemaRef::Reference(name) => self.registry.schemas.get(name),
            };
            if let Some(part) = part {
                self.fold(part, into);
            }
        }
    }

    fn one_of(&mut self, s: &'a MetaSchema) -> NodeKind {
        let arms = if s.one_of.is_empty() { &s.any_of } else { &s.one_of };
        let tag = s.discriminator.as_ref().map(|discriminator| {
            let arm = |target: &str| {
                arms.iter().position(|arm| match arm {
                    MetaSchemaRef::Reference(name) => target.rsplit('/').next() == Some(name),
                    MetaSchemaRef::Inline(_) => false,
                })
            };
            let by_value =
                discriminator.mapping.iter().filter_map(|(value, to)| Some((value.clone(), arm(to)?)));
            (discriminator.property_name, by_value.collect())
        });
        NodeKind::OneOf { arms: arms.iter().map(|arm| self.node(arm)).collect(), tag }
    }
}

impl Node {
    fn new(kind: NodeKind) -> Self {
        Self { kind, nullable: false, choices: vec![] }
    }
}

/// Whether the schema checks this pattern. Texts for people are only checked by their types, which report all errors of
/// a text together. The tests of `core::base::text` prove that type and pattern agree.
fn is_checked(pattern: &&str) -> bool {
    ![text::NO_CONTROLS_PATTERN, text::NOT_BLANK_PATTERN].contains(pattern)
}

//! Checks a value against its schema, and reports all errors at once with their paths.

use std::collections::HashSet;

use insula_core::base::{
    error::{FieldError, MAX_FIELD_ERRORS},
    text,
};
use serde_json::{Number, Value};
use uuid::Uuid;

use super::{
    Bound, Node, NodeKind, Schema, StringFormat,
    parse::parse,
    path::{Step, path},
};

impl Schema {
    /// All errors of `value`.
    pub(crate) fn check(&self, value: &Value) -> Vec<FieldError> {
        let mut checker = Checker { schema: self, place: vec![], errors: vec![] };
        checker.node(&self.root, value);
        checker.errors
    }

    /// All errors of the parameter `name`, whose values are `texts`.
    pub(crate) fn check_parameter(&self, name: &str, texts: &[&str]) -> Vec<FieldError> {
        let root = self.resolve(&self.root);
        let value = match (&root.kind, texts) {
            (NodeKind::List { item, .. }, _) => {
                let item = self.resolve(item);
                Some(texts.iter().map(|text| item.value_of(text)).collect())
            }
            (_, [text]) => Some(root.value_of(text)),
            _ => None,
        };
        let mut checker = Checker { schema: self, place: vec![Step::Key(name.into())], errors: vec![] };
        match &value {
            Some(value) => checker.node(root, value),
            None => checker.fail("NOT_UNIQUE", "Must be given once."),
        }
        checker.errors
    }

    fn resolve<'a>(&'a self, node: &'a Node) -> &'a Node {
        match node.kind {
            NodeKind::Named(at) => &self.named[at],
            _ => node,
        }
    }
}

impl Node {
    /// Parses `text` as a value of this node. A text that cannot be parsed stays a string.
    fn value_of(&self, text: &str) -> Value {
        let value = match self.kind {
            NodeKind::Bool | NodeKind::Number { .. } => parse(text.as_bytes()).ok(),
            _ => None,
        };
        value.unwrap_or_else(|| text.into())
    }
}

/// A text that is the same for equal values. Two spellings of a UUID are equal.
fn identity(value: &Value) -> String {
    let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
    id.map_or_else(|| value.to_string(), |id| id.to_string())
}

struct Checker<'s, 'v> {
    schema: &'s Schema,
    place: Vec<Step<'v>>,
    errors: Vec<FieldError>,
}

impl<'s: 'v, 'v> Checker<'s, 'v> {
    fn fail(&mut self, code: &'static str, message: impl Into<String>) {
        if self.errors.len() < MAX_FIELD_ERRORS {
            let field = path(self.place.iter());
            self.errors.push(FieldError { field, code, message: message.into() });
        }
    }

    fn at(&mut self, step: Step<'v>, check: impl FnOnce(&mut Self)) {
        self.place.push(step);
        check(self);
        self.place.pop();
    }

    fn node(&mut self, node: &'s Node, value: &'v Value) {
        if value.is_null() && (node.nullable || matches!(node.kind, NodeKind::Any)) {
            return;
        }
        match (&node.kind, value) {
            (NodeKind::Named(at), _) => self.node(&self.schema.named[*at], value),
            (NodeKind::Any, _) | (NodeKind::Bool, Value::Bool(_)) => {}
            (NodeKind::OneOf { arms, tag: None }, _) => self.any_of(arms, value),
            (_, Value::Null) => self.fail("NULL_NOT_ALLOWED", "Must not be null."),
            (NodeKind::Text { .. }, Value::String(text)) => self.text(&node.kind, text),
            (NodeKind::Number { .. }, Value::Number(number)) => self.number(&node.kind, number),
            (NodeKind::List { .. }, Value::Array(items)) => self.array(&node.kind, items),
            (NodeKind::Record { .. }, Value::Object(_)) => self.object(&node.kind, value),
            (NodeKind::OneOf { arms, tag: Some((tag, by_value)) }, Value::Object(object)) => {
                let arm = object.get(*tag).map(|value| by_value.iter().find(|(name, _)| value == name));
                match arm {
                    Some(Some((_, at))) => self.node(&arms[*at], value),
                    None => self.at(Step::Key((*tag).into()), Self::required),
                    Some(None) => {
                        let choices = by_value.iter().map(|(name, _)| &**name);
                        self.at(Step::Key((*tag).into()), |checker| checker.fail_choice(choices));
                    }
                }
            }
            (kind, _) => self.fail("WRONG_TYPE", format!("Must be {}.", name_of(kind))),
        }
        if !node.choices.is_empty() && value.is_string() && !node.choices.contains(value) {
            self.fail_choice(node.choices.iter().filter_map(Value::as_str));
        }
    }

    fn required(&mut self) {
        self.fail("REQUIRED", "Is required.");
    }

    fn fail_choice<'c>(&mut self, choices: impl Iterator<Item = &'c str>) {
        let choices = choices.collect::<Vec<_>>().join(", ");
        self.fail("NOT_A_CHOICE", format!("Must be one of: {choices}."));
    }

    fn size(&mut self, things: &str, size: usize, min: usize, max: usize) {
        if size < min && size == 0 {
            self.fail("TOO_SHORT", "Must not be empty.");
        } else if size < min {
            self.fail("TOO_SHORT", format!("Must have at least {min} {things}."));
        } else if size > max {
            self.fail("TOO_LONG", format!("Must have at most {max} {things}."));
        }
    }

    fn text(&mut self, kind: &NodeKind, text: &str) {
        let NodeKind::Text { min, max, pattern, format } = kind else { return };
        let before = self.errors.len();
        self.size("characters", StringFormat::length(*format, text), *min, *max);
        let message =
            pattern.as_ref().and_then(Option::as_ref).and_then(|pattern| pattern_message(pattern.as_str()));
        if self.errors.len() > before {
            if let (Some((sentence, true)), Some(error)) = (message, self.errors.last_mut()) {
                sentence.clone_into(&mut error.message);
            }
            return;
        }
        let format_error = format.and_then(|format| format.error(text));
        match (pattern, format_error) {
            (Some(pattern), _) if !pattern.as_ref().is_some_and(|pattern| pattern.is_match(text)) => {
                self.fail(
                    "INVALID_FORMAT",
                    message.map_or("Has an invalid format.", |(sentence, _)| sentence),
                );
            }
            (_, Some(sentence)) => self.fail("INVALID_FORMAT", sentence),
            // Only parameters can contain U+0000 here. Databases do not accept it in text.
            _ if text.contains('\0') => self.fail("INVALID_FORMAT", "Must not contain U+0000."),
            _ => {}
        }
    }

    fn number(&mut self, kind: &NodeKind, number: &Number) {
        let NodeKind::Number { integer, min, max, step } = kind else { return };
        if let Some((lowest, highest)) = integer {
            let Some(n) = number.as_i128() else {
                return self.fail("WRONG_TYPE", "Must be an integer.");
            };
            if n < *lowest {
                return self.fail("TOO_SMALL", format!("Must be at least {lowest}."));
            } else if n > *highest {
                return self.fail("TOO_LARGE", format!("Must be at most {highest}."));
            }
        }
        let n = number.as_f64().unwrap_or(f64::NAN);
        match (min, max, step) {
            (Some(Bound { value, exclusive: false }), ..) if n < *value => {
                self.fail("TOO_SMALL", format!("Must be at least {value}."));
            }
            (Some(Bound { value, exclusive: true }), ..) if n <= *value => {
                self.fail("TOO_SMALL", format!("Must be more than {value}."));
            }
            (_, Some(Bound { value, exclusive: false }), _) if n > *value => {
                self.fail("TOO_LARGE", format!("Must be at most {value}."));
            }
            (_, Some(Bound { value, exclusive: true }), _) if n >= *value => {
                self.fail("TOO_LARGE", format!("Must be less than {value}."));
            }
            (.., Some(step)) if n % step != 0.0 => {
                self.fail("INVALID_FORMAT", format!("Must be a multiple of {step}."));
            }
            _ => {}
        }
    }

    fn array(&mut self, kind: &'s NodeKind, items: &'v [Value]) {
        let NodeKind::List { item, min, max, unique } = kind else { return };
        self.size("items", items.len(), *min, *max);
        let mut seen = HashSet::new();
        for (at, value) in items.iter().enumerate().take(*max) {
            self.at(Step::Index(at), |checker| {
                checker.node(item, value);
                if *unique && !seen.insert(identity(value)) {
                    checker.fail("NOT_UNIQUE", "Must not be repeated.");
                }
            });
        }
    }

    fn object(&mut self, kind: &'s NodeKind, value: &'v Value) {
        let (NodeKind::Record { fields, rest, min, max }, Some(object)) = (kind, value.as_object()) else {
            return;
        };
        self.size("entries", object.len(), *min, *max);
        for (name, field) in fields {
            self.at(Step::Key((*name).into()), |checker| match object.get(*name) {
                None if field.required => checker.required(),
                None => {}
                Some(_) if field.read_only => checker.fail("READ_ONLY", "Cannot be set."),
                Some(value) => checker.node(&field.node, value),
            });
        }
        for (key, value) in object.iter().filter(|(key, _)| !fields.contains_key(key.as_str())) {
            self.at(Step::Key(key.into()), |checker| match rest {
                Some(rest) => checker.node(rest, value),
                None => checker.fail("UNKNOWN_FIELD", "Is not a known field."),
            });
        }
    }

    fn any_of(&mut self, arms: &'s [Node], value: &'v Value) {
        let before = self.errors.len();
        let matches_arm = arms.iter().any(|arm| {
            self.node(arm, value);
            let matches_arm = self.errors.len() == before;
            self.errors.truncate(before);
            matches_arm
        });
        if !matches_arm {
            self.fail("WRONG_TYPE", "Does not match any of the documented forms.");
        }
    }
}

/// The message for a text that does not match this pattern, and whether it also explains a wrong length.
fn pattern_message(pattern: &str) -> Option<(&'static str, bool)> {
    Some(match pattern {
        text::Slug::PATTERN => {
            ("Use lower-case letters, digits and single hyphens, such as acme-labs.", false)
        }
        text::SlugFragment::PATTERN => ("Use lower-case letters, digits and hyphens.", false),
        text::Username::PATTERN => (
            "Use letters, digits, dots, hyphens and underscores. The first character must be a letter or a digit.",
            false,
        ),
        text::Locale::PATTERN => ("Must be a language tag such as en or de-CH.", false),
        text::Currency::PATTERN => ("Must be a currency code such as EUR.", true),
        text::Color::PATTERN => ("Must be a colour such as #1f6feb.", true),
        text::NO_CONTROLS_PATTERN => ("Must not contain control characters or invisible characters.", false),
        text::NOT_BLANK_PATTERN => {
            ("Must not be blank, and must not contain control characters or invisible characters.", false)
        }
        r"^[a-z_]+\.[a-z_]+$" => ("Must be an action such as project.updated.", false),
        "^[a-z_]+:[a-z_]+$" => ("Must be a permission such as projects:read.", false),
        grouping if grouping.starts_with("^(day|week|month|") => {
            ("Group by one or two of day, week, month, member, project, task and tag.", true)
        }
        _ => return None,
    })
}

fn name_of(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Bool => "true or false",
        NodeKind::Text { .. } => "a string",
        NodeKind::Number { integer: Some(_), .. } => "an integer",
        NodeKind::Number { .. } => "a number",
        NodeKind::List { .. } => "an array",
        NodeKind::Any | NodeKind::Named(_) | NodeKind::Record { .. } | NodeKind::OneOf { .. } => "an object",
    }
}

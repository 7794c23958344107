//! Converts schemas to JSON Schema 2020-12, as the validation in `schema` reads them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::children;
use crate::schema::integer_range;

const SCHEMAS: &str = "#/components/schemas/";

/// Converts every schema of a 3.0 document into one that describes exactly what is read and written.
pub(super) fn correct_schemas(doc: &mut Value) {
    plain_media_types(&mut doc["paths"]);
    flatten_arms(doc);
    close_requests(doc);
    for (_, schema) in children(&mut doc["components"]["schemas"]) {
        each_schema(schema, &mut convert_to_3_1);
    }
    each_schema(&mut doc["paths"], &mut convert_to_3_1);
    drop_unused(doc);
}

/// The schema that `value` refers to by name.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value["$ref"].as_str()?.strip_prefix(SCHEMAS)
}

/// Removes the parameter of `application/json; charset=utf-8`, which JSON does not have (RFC 8259 §11).
fn plain_media_types(value: &mut Value) {
    if let Some(Value::Object(content)) = value.get_mut("content") {
        let plain = |key: String| key.split(';').next().unwrap_or_default().trim().to_owned();
        *content = std::mem::take(content).into_iter().map(|(key, media)| (plain(key), media)).collect();
    }
    children(value).for_each(|(_, child)| plain_media_types(child));
}

/// An arm of a tagged union is `allOf: [{tag}, {$ref}]`: two closed parts would refuse each other's fields,
/// so it becomes one object.
fn flatten_arms(doc: &mut Value) {
    let schemas = doc["components"]["schemas"].clone();
    for (_, schema) in children(&mut doc["components"]["schemas"]) {
        let Some(Value::Array(parts)) = schema.get("allOf") else { continue };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let part = reference(part).map_or(part, |name| &schemas[name]);
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        *schema = json!({"type": "object", "required": required, "properties": properties});
    }
}

/// Every object that is reachable from a request body refuses unknown fields.
fn close_requests(doc: &mut Value) {
    let mut names = BTreeSet::new();
    for (.., operation) in super::operations(doc) {
        if let Some(body) = operation.get_mut("requestBody") {
            close(body, &mut names);
        }
    }
    let (mut todo, mut done) = (names, BTreeSet::new());
    while let Some(name) = todo.pop_first() {
        close(&mut doc["components"]["schemas"][&name], &mut todo);
        done.insert(name);
        todo.retain(|name| !done.contains(name));
    }
}

/// Closes `value` and everything in it, and adds the schemas that it refers to to `names`.
fn close(value: &mut Value, names: &mut BTreeSet<String>) {
    each_schema(value, &mut |value| {
        names.extend(reference(value).map(str::to_owned));
        let Value::Object(schema) = value else { return };
        let is_put_together = ["oneOf", "anyOf", "allOf"].iter().any(|key| schema.contains_key(*key));
        if schema.get("type").is_some_and(|ty| ty == "object") && !is_put_together {
            schema.entry("additionalProperties").or_insert(false.into());
        }
    });
}

/// Visits `value` and everything in it that can be a schema, inner ones first. Names of properties are not
/// keywords, and examples are data, whatever the names of their fields.
fn each_schema(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    for (key, child) in children(value) {
        match key {
            "properties" => children(child).for_each(|(_, property)| each_schema(property, visit)),
            "example" | "examples" | "default" | "enum" => {}
            _ => each_schema(child, visit),
        }
    }
    visit(value);
}

/// Converts one schema from version 3.0 to 3.1 of the specification.
fn convert_to_3_1(value: &mut Value) {
    let Value::Object(schema) = value else { return };
    // `allOf: [{$ref}, {description}]` is 3.0's way to annotate a reference; 3.1 lets them stand side by side.
    if let Some([target, extra]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
        && extra.get("properties").is_none()
        && let Some(target) = target.get("$ref").cloned()
    {
        schema.remove("allOf");
        schema.insert("$ref".into(), target);
    }
    if !["type", "allOf", "anyOf", "oneOf", "$ref"].iter().any(|key| schema.contains_key(*key)) {
        return;
    }
    bounds(schema);
    format(schema);
    if let Some(example) = schema.remove("example") {
        schema.insert("examples".into(), json!([example]));
    }
    if schema.remove("nullable") == Some(true.into()) {
        *value = nullable(std::mem::take(schema));
    }
}

/// Writes whole numbers as such (`100`, not `100.0`), adds the range of the integer type, and converts
/// exclusive bounds.
fn bounds(schema: &mut Map<String, Value>) {
    if schema.get("type").is_some_and(|ty| ty == "integer") {
        let (lowest, highest) =
            integer_range(schema.get("format").and_then(Value::as_str).unwrap_or_default());
        for (key, bound) in [("minimum", lowest), ("maximum", highest)] {
            if let Ok(bound) = i64::try_from(bound) {
                schema.entry(key).or_insert(bound.into());
            }
        }
    }
    for key in ["minimum", "maximum", "multipleOf"] {
        let whole =
            schema.get(key).and_then(Value::as_f64).and_then(|bound| bound.to_string().parse::<i64>().ok());
        if let (Some(whole), Some(bound)) = (whole, schema.get_mut(key)) {
            *bound = whole.into();
        }
    }
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if schema.remove(flag) == Some(true.into())
            && let Some(limit) = schema.remove(bound)
        {
            schema.insert(flag.into(), limit);
        }
    }
}

/// Keeps only formats that are registered (<https://spec.openapis.org/registry/format/>).
fn format(schema: &mut Map<String, Value>) {
    match schema.get("format").and_then(Value::as_str) {
        Some("naive-date") => schema.insert("format".into(), "date".into()),
        Some("binary") => {
            schema.remove("format");
            schema.insert("contentMediaType".into(), "application/octet-stream".into())
        }
        // Their range is in `minimum` and `maximum`.
        Some("int8" | "int16" | "uint8" | "uint16" | "uint32" | "uint64") => schema.remove("format"),
        _ => None,
    };
}

fn nullable(mut schema: Map<String, Value>) -> Value {
    if let Some(Value::String(ty)) = schema.get("type").cloned()
        && !schema.contains_key("oneOf")
        && !schema.contains_key("anyOf")
    {
        schema.insert("type".into(), json!([ty, "null"]));
        if let Some(Value::Array(choices)) = schema.get_mut("enum") {
            choices.push(Value::Null);
        }
        return schema.into();
    }
    let mut outer = Map::new();
    for key in ["description", "default", "deprecated", "readOnly", "writeOnly"] {
        outer.extend(schema.remove_entry(key));
    }
    outer.insert("anyOf".into(), json!([schema, {"type": "null"}]));
    outer.into()
}

/// Removes schemas without references after flattening.
fn drop_unused(doc: &mut Value) {
    fn names(value: &Value, into: &mut BTreeSet<String>) {
        into.extend(reference(value).map(str::to_owned));
        match value {
            Value::Object(map) => map.values().for_each(|child| names(child, into)),
            Value::Array(items) => items.iter().for_each(|child| names(child, into)),
            _ => {}
        }
    }
    let (mut used, mut todo) = (BTreeSet::new(), BTreeSet::new());
    names(&doc["paths"], &mut todo);
    while let Some(name) = todo.pop_first() {
        names(&doc["components"]["schemas"][&name], &mut todo);
        used.insert(name);
        todo.retain(|name| !used.contains(name));
    }
    if let Some(schemas) = doc["components"]["schemas"].as_object_mut() {
        schemas.retain(|name, _| used.contains(name));
    }
}

//! An example for every JSON body, from its type or composed of the examples of its members.

use serde_json::{Map, Value};

use super::schemas::reference;

/// Maximum depth, for types that contain themselves.
const MAX_DEPTH: usize = 12;

/// Gives each request body and each successful response an example.
pub(super) fn add(doc: &mut Value) -> Result<(), String> {
    let schemas = doc["components"]["schemas"].clone();
    for (.., operation) in super::operations(doc) {
        let id = operation["operationId"].to_string();
        let (body, responses) = split(operation);
        let bodies = body.into_iter().map(|body| ("request body", body));
        let answers = responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2'));
        for (what, body) in bodies.chain(answers.map(|(_, answer)| ("answer", answer))) {
            let media = body.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten();
            for (_, media) in media.filter(|(name, _)| name.ends_with("/json") || name.ends_with("+json")) {
                let example = Sampler { schemas: &schemas }.sample(&media["schema"], MAX_DEPTH);
                media["example"] =
                    example.map_err(|place| format!("the {what} of {id} has no example{place}"))?;
            }
        }
    }
    Ok(())
}

fn split(operation: &mut Value) -> (Option<&mut Value>, Option<&mut Map<String, Value>>) {
    let (mut body, mut responses) = (None, None);
    for (key, value) in super::children(operation) {
        match key {
            "requestBody" => body = Some(value),
            "responses" => responses = value.as_object_mut(),
            _ => {}
        }
    }
    (body, responses)
}

struct Sampler<'a> {
    schemas: &'a Value,
}

impl Sampler<'_> {
    /// An example of `schema`, or the place (` at a.b`) of the member that has none.
    fn sample(&self, schema: &Value, depth: usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1) else { return Err(String::new()) };
        let first = |key: &str| schema[key].as_array().and_then(|values| values.first());
        if let Some(example) = first("examples").or(schema.get("default")).or(first("enum")) {
            return Ok(example.clone());
        }
        if let Some(name) = reference(schema) {
            return self.sample(&self.schemas[name], depth);
        }
        let is_put_together = schema.get("properties").is_none();
        if let Some(arm) = first("oneOf").or(first("anyOf")).filter(|_| is_put_together) {
            return self.sample(arm, depth);
        }
        match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
            Some("boolean") => Ok(true.into()),
            Some("integer" | "number") => Ok(number(schema)),
            Some("array") => Ok(vec![self.sample(&schema["items"], depth)?].into()),
            Some("object") => self.object(schema, depth),
            Some("string") => match schema["format"].as_str() {
                Some("uuid") => Ok("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091".into()),
                Some("date-time") => Ok("2026-01-31T09:30:00Z".into()),
                Some("date") => Ok("2026-01-31".into()),
                _ => Err(String::new()),
            },
            _ => Err(String::new()),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Result<Value, String> {
        let mut object = Map::new();
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        // If members exclude each other, only the first one is in the example.
        let others: Vec<_> = schema["oneOf"].as_array().into_iter().flatten().skip(1).collect();
        let is_other = |name: &str| others.iter().any(|arm| arm["required"][0] == name);
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, property) in properties.filter(|(name, _)| !is_other(name)) {
            match self.sample(property, depth) {
                Ok(example) => {
                    object.insert(name.clone(), example);
                }
                Err(place) if required.contains(&name.as_str().into()) => {
                    let inner = place.trim_start_matches(" at ");
                    let dot = if inner.is_empty() { "" } else { "." };
                    return Err(format!(" at {name}{dot}{inner}"));
                }
                Err(_) => {}
            }
        }
        Ok(object.into())
    }
}

/// An allowed number: 1, or the bound nearest to it.
fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let lowest = bound("minimum").max(bound("exclusiveMinimum").map(|n| n.saturating_add(1))).unwrap_or(1);
    let highest =
        bound("maximum").or(bound("exclusiveMaximum").map(|n| n.saturating_sub(1))).unwrap_or(i64::MAX);
    1.max(lowest).min(highest).into()
}

//! Validates answers against the OpenAPI document. The client of the tests does so with every exchange.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

use crate::Reply;

/// The committed document; a unit test of the API compares it with the served one.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../api/openapi.json")).expect("the document is JSON")
});

/// Compiled validators by the JSON pointer of their schema.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Default::default);

/// How an answer violates the document; `None` when it is valid or of no documented operation.
pub(crate) fn violation(method: &str, path: &str, reply: &Reply) -> Option<String> {
    let path = path.split('?').next().unwrap_or(path);
    let template = template(path)?;
    let operation = &DOCUMENT["paths"][template][method.to_lowercase()];
    if reply.status == 405 {
        // Of the path, not of an operation.
        return None;
    }
    let status = reply.status.to_string();
    let mut place = format!("/paths/{}/{}/responses/{status}", escape(template), method.to_lowercase());
    let mut response = operation.get("responses")?.get(&status);
    if let Some(reference) = response.and_then(|response| response["$ref"].as_str()) {
        place = reference.trim_start_matches('#').to_owned();
        response = DOCUMENT.pointer(&place);
    }
    let Some(response) = response else {
        return Some(format!("{method} {template} answers {status}, which the document does not list"));
    };
    let Some(content) = response["content"].as_object().filter(|content| !content.is_empty()) else {
        return (!reply.body.is_empty()).then(|| format!("{method} {template} answers {status} with a body"));
    };
    let media_type = reply.header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().to_owned();
    if !content.contains_key(&media_type) {
        return Some(format!(
            "{method} {template} answers {status} as `{media_type}`, which the document does not list"
        ));
    }
    if !["/json", "+json"].iter().any(|form| media_type.ends_with(form)) {
        return None;
    }
    let place = format!("{place}/content/{}/schema", escape(&media_type));
    let body: Value = match serde_json::from_slice(&reply.body) {
        Ok(body) => body,
        Err(error) => return Some(format!("{method} {template} answers {status} with no JSON: {error}")),
    };
    let faults: Vec<_> = validator(&place).iter_errors(&body).map(|fault| fault.to_string()).collect();
    (!faults.is_empty())
        .then(|| format!("{method} {template} answers {status} unlike its schema: {}", faults.join("; ")))
}

/// The path template of the document that matches; literals have priority over parameters.
fn template(path: &str) -> Option<&'static str> {
    let wanted: Vec<_> = path.split('/').collect();
    let fits = |template: &&str| {
        let segments: Vec<_> = template.split('/').collect();
        let pairs = || segments.iter().zip(&wanted);
        segments.len() == wanted.len()
            && pairs().all(|(segment, part)| segment.starts_with('{') || segment == part)
    };
    let templates = DOCUMENT["paths"].as_object()?.keys().map(String::as_str);
    templates.filter(fits).min_by_key(|template| template.matches('{').count())
}

fn validator(place: &str) -> Arc<Validator> {
    let mut all = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        // The schema in its own document, so that its references lead somewhere.
        let mut schema = absolute(DOCUMENT.pointer(place).unwrap_or_else(|| panic!("no schema at {place}")));
        schema["document"] = absolute(&DOCUMENT);
        let options = jsonschema::options().should_validate_formats(true);
        Arc::new(options.build(&schema).unwrap_or_else(|error| panic!("{place}: {error}")))
    };
    Arc::clone(all.entry(place.to_owned()).or_insert_with(make))
}

/// The document with references for its place in another document.
fn absolute(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| match (key.as_str(), value.as_str()) {
                ("$ref", Some(reference)) => (key.clone(), reference.replacen('#', "#/document", 1).into()),
                _ => (key.clone(), absolute(value)),
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => items.iter().map(absolute).collect(),
        plain => plain.clone(),
    }
}

/// One segment of a JSON pointer (RFC 6901 §3).
fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

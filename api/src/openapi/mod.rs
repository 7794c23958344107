//! The published OpenAPI document, in version 3.1 of the specification, generated from the routes.
//!
//! poem-openapi writes 3.0 and does not know the middleware. [`publish`] adds what is missing: closed request
//! bodies, `null`, the errors that each operation can really return, its permission (`x-permission`) and examples.
//!
//! To write a route:
//! - the operation: a doc comment (its first paragraph is the summary), `operation_id`, `tag`; the return type
//!   [`crate::problem::Result`]; or `Result<T, Conflicting>` if 409 can occur outside of an organization, and
//!   `Result<T, Challenging>` if 401 and 403 can occur without authentication;
//! - a request body: [`crate::body::StrictJson`] or [`crate::body::MergePatch`] of a type that derives `Object`.
//!   `Option<T>` and `MaybeUndefined<T>` may be absent; a field that may be null has `#[oai(nullable)]`;
//! - a response: a type that derives `Object`. A field that is always written is not an `Option` unless it is
//!   `#[oai(nullable)]`;
//! - an example of each body, in one of two ways. Either `#[oai(example)]` on the type with an
//!   `impl poem_openapi::types::Example`, or nothing: an example is composed of the fields. Numbers, booleans,
//!   enums, UUIDs, dates, defaults and the types made by `texts!` have examples. A required plain `String` has
//!   none, and [`publish`] reports it.

mod one_of;
mod examples;
mod headers;
mod schemas;

use std::{
    collections::{BTreeMap, HashMap},
    marker::PhantomData,
};

use insula_core::base::error::{ErrorCode, ErrorKind};
use poem::{
    endpoint::BoxEndpoint,
    http::{Method, StatusCode},
};
use poem_openapi::{
    LicenseObject, OpenApi, OpenApiService,
    registry::{MetaApi, MetaOperation, MetaPath, Registry},
};
use serde_json::{Map, Value, json};

use crate::{
    VERSION,
    middleware::rate_limit,
    operations::Operations,
    problem::{self, MEDIA_TYPE},
};

const LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// The document of the routes of `T` under the path `base`.
///
/// # Errors
/// When an operation has no unique `operationId`, no summary, other path parameters than its path, or a body
/// without an example.
pub fn publish<T: OpenApi>(base: &str) -> Result<Value, String> {
    // Two operations with the same path and method would be one in the document.
    Operations::new::<T>(base)?;
    let spec = OpenApiService::new(Shape::<T>(PhantomData), "Insula", VERSION)
        .license(LicenseObject::new(LICENSE).identifier(LICENSE))
        .url_prefix(base)
        .server("/")
        .spec();
    let mut doc: Value = serde_json::from_str(&spec).map_err(|err| err.to_string())?;
    doc["openapi"] = "3.1.0".into();
    schemas::correct_schemas(&mut doc);
    one_of::add(&mut doc);
    let mut kinds = BTreeMap::new();
    for (path, method, operation) in operations(&mut doc) {
        describe(&path, &method, operation, &mut kinds)?;
    }
    doc["components"]["responses"] = kinds.into_iter().map(|(name, kind)| (name, response(kind))).collect();
    doc["components"]["schemas"]["Problem"] = problem::schema();
    headers::add(&mut doc);
    examples::add(&mut doc)?;
    Ok(doc)
}

/// The routes of `T` without their handlers, so that the document needs no database.
struct Shape<T>(PhantomData<fn() -> T>);

impl<T: OpenApi> OpenApi for Shape<T> {
    /// One entry per path: two entries would be equal keys in the document, and only
    /// the last one would count.
    fn meta() -> Vec<MetaApi> {
        let mut paths = BTreeMap::<String, Vec<MetaOperation>>::new();
        for MetaPath { path, operations } in T::meta().into_iter().flat_map(|api| api.paths) {
            paths.entry(path).or_default().extend(operations);
        }
        let paths = paths.into_iter().map(|(path, operations)| MetaPath { path, operations });
        vec![MetaApi { paths: paths.collect() }]
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// Completes one operation; adds the errors that it can return to `kinds`.
fn describe(
    path: &str,
    method: &str,
    operation: &mut Value,
    kinds: &mut BTreeMap<String, ErrorKind>,
) -> Result<(), String> {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    if operation["summary"].as_str().is_none_or(str::is_empty) {
        return Err(format!("{id} has no summary"));
    }
    // poem-openapi binds path parameters by position, not by name.
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let documented = parameters.filter(|parameter| parameter["in"] == "path").map(|p| p["name"].as_str());
    let written = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    if !documented.eq(written.map(Some)) {
        return Err(format!("{id} takes other path parameters, or in another order, than {path} names"));
    }
    operation["x-permission"] = take_permission(operation);
    let method_name = method.to_uppercase().parse().map_err(|_| format!("{id} has no method"))?;
    operation["x-limit"] = rate_limit::class(&id, &method_name, path).as_str().into();
    let names_organization =
        |parameter: &Value| parameter["in"] == "query" && parameter["name"] == "organization";
    let parameters = operation["parameters"].as_array();
    let accesses = path.contains("/{org}")
        || parameters.is_some_and(|parameters| parameters.iter().any(names_organization));
    if accesses && let Some(parameters) = operation["parameters"].as_array_mut() {
        parameters.push(platform_access());
    }
    if operation.get("security").is_none() {
        // An explicit empty list: the operation needs no authentication.
        operation["security"] = json!([]);
    }
    let mut problems = problems(path, method, operation);
    let responses = operation["responses"].as_object_mut().ok_or_else(|| format!("{id} has no responses"))?;
    for (code, response) in &mut *responses {
        let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| format!("{id} answers with the status {code}"))?;
        if status.is_client_error() || status.is_server_error() {
            let kind =
                ErrorCode::ALL.iter().map(|code| code.kind()).find(|kind| problem::status(*kind) == status);
            problems.push(kind.ok_or_else(|| format!("{id} answers with {status}, which no code has"))?);
        } else if response["description"] == "" {
            response["description"] = status.canonical_reason().unwrap_or_default().into();
        }
    }
    for kind in problems {
        let name = format!("{kind:?}");
        let status = problem::status(kind).as_u16().to_string();
        responses.insert(status, json!({"$ref": format!("#/components/responses/{name}")}));
        kinds.insert(name, kind);
    }
    let is_conditional = responses.contains_key("428");
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
    for parameter in parameters.filter(|parameter| parameter["name"] == "If-Match") {
        parameter["required"] = is_conditional.into();
    }
    Ok(())
}

/// The header parameter that every operation inside of an organization accepts.
fn platform_access() -> Value {
    json!({
        "name": "X-Platform-Access",
        "in": "header",
        "required": false,
        "description": "For superusers: the reason for accessing an organization without being a member. They then \
            have all permissions of an owner. Operations about the caller's own membership return 409 \
            `NOT_A_MEMBER`. Each such request is recorded in the organization's audit log. Ignored for other users.",
        "schema": {"type": "string", "minLength": 3, "maxLength": 200, "examples": ["Ticket 4711: cannot log in"]},
    })
}

/// The permission. The extractor of the organization stores it in the title of its parameter.
fn take_permission(operation: &mut Value) -> Value {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
    let mut schemas =
        parameters.filter(|parameter| parameter["in"] == "path").map(|parameter| &mut parameter["schema"]);
    schemas.find_map(|schema| schema.as_object_mut()?.remove("title")).unwrap_or_default()
}

/// The errors that the middleware, the extractors and core can return for this operation;
/// handlers declare further ones.
fn problems(path: &str, method: &str, operation: &mut Value) -> Vec<ErrorKind> {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let any_in = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    let header = |name: &str| {
        let mut names = parameters.iter().filter(|p| p["in"] == "header").filter_map(|p| p["name"].as_str());
        names.any(|other| other.eq_ignore_ascii_case(name))
    };
    if header("If-None-Match") {
        operation["responses"]["304"] = json!({"description": "You have the current version."});
    }
    let has_body = operation.get("requestBody").is_some();
    let is_secured = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
    let in_organization = path.contains("/{org}");
    let kinds = [
        // For example, a header that is allowed once is sent twice.
        (ErrorKind::Malformed, true),
        (ErrorKind::Unauthenticated, is_secured),
        (ErrorKind::Forbidden, is_secured),
        (ErrorKind::NotFound, any_in("path")),
        (ErrorKind::RequestTimeout, true),
        (ErrorKind::Conflict, in_organization && method != "get"),
        (ErrorKind::Moved, in_organization),
        (ErrorKind::Gone, in_organization),
        (ErrorKind::PreconditionFailed, header("If-Match")),
        (ErrorKind::TooLarge, has_body),
        (ErrorKind::WrongMediaType, has_body),
        // Extractors refuse query parameters that the document does not list, and headers they cannot read.
        (ErrorKind::Invalid, is_secured || has_body || any_in("query") || any_in("header")),
        (ErrorKind::TooManyRequests, true),
        (ErrorKind::Internal, true),
        (ErrorKind::Unavailable, true),
    ];
    kinds.into_iter().filter_map(|(kind, can_occur)| can_occur.then_some(kind)).collect()
}

/// The response that all errors of one kind share.
fn response(kind: ErrorKind) -> Value {
    let codes: Vec<_> = ErrorCode::ALL.iter().filter(|code| code.kind() == kind).collect();
    let lines = codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.sentence()));
    let example = codes.first().map(|code| problem::example(**code));
    let mut response = json!({
        "description": lines.collect::<Vec<_>>().join("\n"),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    });
    if kind == ErrorKind::Moved {
        response["content"] = json!({});
    }
    let header = match kind {
        ErrorKind::Moved => Some(("Location", json!({"type": "string", "format": "uri-reference"}))),
        ErrorKind::Unauthenticated => Some(("WWW-Authenticate", json!({"type": "string"}))),
        ErrorKind::TooManyRequests | ErrorKind::Unavailable => {
            Some(("Retry-After", json!({"type": "integer", "minimum": 1})))
        }
        _ => None,
    };
    if let Some((name, schema)) = header {
        response["headers"] = json!({name: {"required": true, "schema": schema}});
    }
    response
}

/// Every operation with its path and method.
fn operations(doc: &mut Value) -> impl Iterator<Item = (String, String, &mut Value)> {
    let paths = doc["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object_mut().into_iter().flat_map(Map::iter_mut);
        methods.map(|(method, operation)| (path.clone(), method.clone(), operation))
    })
}

/// The values directly inside of `value`.
fn children(value: &mut Value) -> Box<dyn Iterator<Item = (&str, &mut Value)> + '_> {
    match value {
        Value::Object(map) => Box::new(map.iter_mut().map(|(key, value)| (&**key, value))),
        Value::Array(items) => Box::new(items.iter_mut().map(|item| ("", item))),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests;

//! The table of operations, built from the routes, which finds the operation of a request.
//!
//! poem knows the route only after routing, but rate limits, spans and the access log need it before. The
//! table is also stricter than a router: a path that is not spelled as in the document is not found and never
//! normalized into another one. So proxies in front of this server that inspect paths see the same path as
//! this server.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use insula_core::base::error::{Error, ErrorCode, FieldError};
use poem::{
    Endpoint, Request, Response,
    http::{HeaderValue, Method},
};
use poem_openapi::{
    OpenApi,
    registry::{MetaOperation, MetaParamIn, MetaSchemaRef, Registry},
};

use crate::{
    problem::{Allow, Problem},
    schema::Schema,
};

/// One operation of the API.
#[derive(Debug)]
pub struct Operation {
    /// The `operationId` of the document.
    pub id: &'static str,
    /// HTTP method. A `HEAD` request uses the operation of `GET` (RFC 9110 §9.3.2).
    pub method: Method,
    /// Path as in the document: `/api/v1/organizations/{org}`.
    pub template: String,
    /// The permission it requires. `None`: it requires only a membership, or nothing at all.
    pub permission: Option<String>,
    query: BTreeMap<String, Parameter>,
}

#[derive(Debug)]
struct Parameter {
    schema: Schema,
    required: bool,
}

/// The result of looking up a request. It is stored in the extensions of the request, together with the
/// `Arc<Operation>` that was found.
#[derive(Clone, Debug)]
pub enum Match {
    /// The request is for this operation.
    Found(Arc<Operation>),
    /// The path exists, but only with these methods.
    WrongMethod(HeaderValue),
    /// The path is not part of the API.
    Unknown,
    /// The path is not in canonical form.
    NotCanonical,
}

/// Every operation of the API, by path and method.
#[derive(Debug, Default)]
pub struct Operations(Node);

/// One path segment. Literals take precedence over parameters, as in the router.
#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    parameter: Option<Box<Node>>,
    operations: Vec<Arc<Operation>>,
}

impl Operations {
    /// Builds the table of the routes of `T` under the path `base`.
    ///
    /// # Errors
    /// If an operation has no `operationId`, or if two have the same one or the same path and method.
    pub fn new<T: OpenApi>(base: &str) -> Result<Self, String> {
        let mut registry = Registry::new();
        T::register(&mut registry);
        let (mut root, mut ids) = (Node::default(), HashSet::new());
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let template = format!("{base}{}", path.path);
            for operation in path.operations {
                let operation = Operation::new(&registry, template.clone(), operation)?;
                if !ids.insert(operation.id) {
                    return Err(format!("two operations are called {}", operation.id));
                }
                root.add(operation)?;
            }
        }
        Ok(Self(root))
    }

    /// Finds the operation for `method` and `path`.
    pub fn look_up(&self, method: &Method, path: &str) -> Match {
        if !is_canonical(path) {
            return Match::NotCanonical;
        }
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let Some(node) = self.0.find(&segments) else { return Match::Unknown };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        match node.operations.iter().find(|operation| operation.method == wanted) {
            Some(operation) => Match::Found(operation.clone()),
            None => Match::WrongMethod(node.allow()),
        }
    }

    /// For each permission, the sorted `operationId`s of the operations that require it.
    pub fn by_permission(&self) -> BTreeMap<String, Vec<String>> {
        fn walk(node: &Node, out: &mut BTreeMap<String, Vec<String>>) {
            for operation in &node.operations {
                if let Some(permission) = &operation.permission {
                    out.entry(permission.clone()).or_default().push(operation.id.to_owned());
                }
            }
            node.literals.values().chain(node.parameter.as_deref()).for_each(|node| walk(node, out));
        }
        let mut needed = BTreeMap::new();
        walk(&self.0, &mut needed);
        needed.values_mut().for_each(|ids| ids.sort());
        needed
    }

    /// Middleware: looks up the operation of `request` and stores the result in its extensions.
    ///
    /// # Errors
    /// Those of `endpoint`.
    pub async fn around<E: Endpoint>(
        self: Arc<Self>,
        endpoint: Arc<E>,
        mut request: Request,
    ) -> poem::Result<E::Output> {
        let look_up = self.look_up(request.method(), request.uri().path());
        if let Match::Found(operation) = &look_up {
            request.set_data(operation.clone());
        }
        request.set_data(look_up);
        endpoint.call(request).await
    }
}

impl Operation {
    fn new(registry: &Registry, template: String, meta: MetaOperation) -> Result<Self, String> {
        let id = meta.operation_id.ok_or_else(|| format!("{} {template} has no operationId", meta.method))?;
        let mut permission = None;
        let mut query = BTreeMap::new();
        for param in meta.params {
            match (param.in_type, &param.schema) {
                // Set by the extractor of the organization; the document shows it as `x-permission`.
                (MetaParamIn::Path, MetaSchemaRef::Inline(schema)) if schema.title.is_some() => {
                    permission.clone_from(&schema.title);
                }
                (MetaParamIn::Query, schema) => {
                    let schema = Schema::compile(registry, schema);
                    query.insert(param.name, Parameter { schema, required: param.required });
                }
                _ => {}
            }
        }
        Ok(Self { id, method: meta.method, template, permission, query })
    }

    /// All errors of the query string of `request`. No parameter is ignored.
    fn query_errors(&self, request: &Request) -> Vec<FieldError> {
        let field_error = |field: &str, code, message: &str| FieldError {
            field: field.chars().take(100).collect(),
            code,
            message: message.to_owned(),
        };
        let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
        let names = pairs.iter().map(|(name, _)| &**name).collect::<BTreeSet<_>>();
        let unknown = names.iter().filter(|name| !self.query.contains_key(**name));
        let unknown =
            unknown.take(20).map(|name| field_error(name, "UNKNOWN_FIELD", "Is not a known parameter."));
        let known = self.query.iter().flat_map(|(name, parameter)| {
            let texts: Vec<_> = pairs.iter().filter(|(n, _)| n == name).map(|(_, text)| &**text).collect();
            match (&*texts, parameter.required) {
                ([], true) => vec![field_error(name, "REQUIRED", "Is required.")],
                ([], false) => vec![],
                (texts, _) => parameter.schema.check_parameter(name, texts),
            }
        });
        known.chain(unknown).collect()
    }
}

/// Checks the query string of `request` against the documented parameters of its operation.
///
/// Extractors call this after they have checked the permission, so that callers without permission learn
/// nothing about the parameters.
///
/// # Errors
/// `VALIDATION_FAILED` with every parameter that is unknown, repeated, missing or of the wrong type.
pub fn check_query(request: &Request) -> Result<(), Error> {
    let errors = match request.data::<Arc<Operation>>() {
        Some(operation) => operation.query_errors(request),
        None => vec![],
    };
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid(ErrorCode::ValidationFailed, errors)),
    }
}

/// Middleware around everything: refuses paths that are not canonical.
///
/// # Errors
/// `NOT_FOUND`, and those of `endpoint`.
pub async fn canonical<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    match request.data() {
        Some(Match::NotCanonical) => Err(Problem(ErrorCode::NotFound.refuse()).into()),
        _ => endpoint.call(request).await,
    }
}

/// Middleware around the routes of the API: passes on only requests for operations that the table found.
///
/// # Errors
/// `METHOD_NOT_ALLOWED`, `NOT_FOUND`, and those of `endpoint`.
pub async fn require_found<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    match request.data() {
        Some(Match::Found(_)) => endpoint.call(request).await,
        Some(Match::WrongMethod(methods)) => {
            let mut err = poem::Error::from(Problem(ErrorCode::MethodNotAllowed.refuse()));
            err.set_data(Allow(methods.clone()));
            Err(err)
        }
        _ => Err(Problem(ErrorCode::NotFound.refuse()).into()),
    }
}

impl Node {
    fn add(&mut self, operation: Operation) -> Result<(), String> {
        let mut node = self;
        for segment in operation.template.split('/').skip(1) {
            node = match segment.starts_with('{') {
                true => node.parameter.get_or_insert_default(),
                false => node.literals.entry(segment.to_owned()).or_default(),
            };
        }
        if let Some(other) = node.operations.iter().find(|other| other.method == operation.method) {
            return Err(format!("{} and {} stand in the same place", other.id, operation.id));
        }
        node.operations.push(Arc::new(operation));
        Ok(())
    }

    fn find(&self, segments: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = segments.split_first() else {
            return (!self.operations.is_empty()).then_some(self);
        };
        let literal = self.literals.get(*first).and_then(|node| node.find(rest));
        literal.or_else(|| self.parameter.as_ref().filter(|_| !first.is_empty())?.find(rest))
    }

    /// The value of the `Allow` header (RFC 9110 §10.2.1).
    fn allow(&self) -> HeaderValue {
        let mut methods: BTreeSet<_> =
            self.operations.iter().map(|operation| operation.method.as_str()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD");
        }
        let methods = methods.into_iter().collect::<Vec<_>>().join(", ");
        HeaderValue::from_str(&methods).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Returns whether `path` is in canonical form (RFC 3986 §6.2.2). It has no empty or dot segments. It has no
/// percent-encoding that is unnecessary, or that decodes to a separator or a control character.
fn is_canonical(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        // The last segment can be empty: the route decides whether a path ends in a slash.
        let is_empty = segment.is_empty() && segments.peek().is_some();
        if is_empty || matches!(segment, "." | "..") || !is_canonically_encoded(segment) {
            return false;
        }
    }
    true
}

fn is_canonically_encoded(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            // Some parsers treat it as a slash.
            if byte == b'\\' {
                return false;
            }
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let Some(byte) = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
        else {
            return false;
        };
        let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_unreserved || byte.is_ascii_control() || matches!(byte, b'/' | b'\\') {
            return false;
        }
        decoded.push(byte);
    }
    std::str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests;

//! Which operation a request asks for: one table, made from the routes themselves.
//!
//! poem knows the route only once it is inside of it; limits, spans and the access log need it before. And the table
//! is stricter than a router: a path that is not written as the document writes it is not found, never repaired into
//! another one, so that every layer in front of us that looks at paths sees what we see.

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
    /// Its `operationId`.
    pub id: &'static str,
    /// Its method; `HEAD` is answered by `GET`'s (RFC 9110 §9.3.2).
    pub method: Method,
    /// Its path as the document spells it: `/api/v1/organizations/{org}`.
    pub template: String,
    /// The permission it needs; `None` where membership, or nothing at all, is enough.
    pub permission: Option<String>,
    query: BTreeMap<String, Parameter>,
}

#[derive(Debug)]
struct Parameter {
    schema: Schema,
    required: bool,
}

/// What the table knows about a request; in its extensions, beside the `Arc<Operation>` that was found.
#[derive(Clone, Debug)]
pub enum Match {
    /// It asks for this operation.
    Found(Arc<Operation>),
    /// The path has these methods only.
    WrongMethod(HeaderValue),
    /// The path is none of the API's.
    Unknown,
    /// The path is not written as any document would write it.
    NotCanonical,
}

/// Every operation of the API, by path and method.
#[derive(Debug, Default)]
pub struct Operations(Node);

/// One segment of the paths; a literal comes before a parameter, as in the router.
#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    parameter: Option<Box<Node>>,
    operations: Vec<Arc<Operation>>,
}

impl Operations {
    /// The table of the routes of `T` under the path `base`.
    ///
    /// # Errors
    /// When an operation has no `operationId`, or two have the same one or the same place.
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

    /// What a request for `path` asks for.
    pub fn matched(&self, method: &Method, path: &str) -> Match {
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

    /// The `operationId`s of the operations that need each permission, sorted.
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

    /// Middleware: tells every layer inside what `request` asks for.
    ///
    /// # Errors
    /// Those of `endpoint`.
    pub async fn around<E: Endpoint>(
        self: Arc<Self>,
        endpoint: Arc<E>,
        mut request: Request,
    ) -> poem::Result<E::Output> {
        let matched = self.matched(request.method(), request.uri().path());
        if let Match::Found(operation) = &matched {
            request.set_data(operation.clone());
        }
        request.set_data(matched);
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
                // Left there by the extractor of the organization; the document shows it as `x-permission`.
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

    /// Everything that is wrong with the query string of `request`: no parameter is ignored.
    fn query_errors(&self, request: &Request) -> Vec<FieldError> {
        let fault = |field: &str, code, message: &str| FieldError {
            field: field.chars().take(100).collect(),
            code,
            message: message.to_owned(),
        };
        let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
        let names = pairs.iter().map(|(name, _)| &**name).collect::<BTreeSet<_>>();
        let unknown = names.iter().filter(|name| !self.query.contains_key(**name));
        let unknown = unknown.take(20).map(|name| fault(name, "UNKNOWN_FIELD", "Is not a known parameter."));
        let known = self.query.iter().flat_map(|(name, parameter)| {
            let texts: Vec<_> = pairs.iter().filter(|(n, _)| n == name).map(|(_, text)| &**text).collect();
            match (&*texts, parameter.required) {
                ([], true) => vec![fault(name, "REQUIRED", "Is required.")],
                ([], false) => vec![],
                (texts, _) => parameter.schema.check_parameter(name, texts),
            }
        });
        known.chain(unknown).collect()
    }
}

/// The query string of `request` against the parameters its operation documents.
///
/// Extractors call it once they know that the caller may ask at all: nobody learns about parameters he may not send.
///
/// # Errors
/// `VALIDATION_FAILED` with every parameter that is unknown, repeated, missing or ill-typed.
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

/// Middleware around everything: a path that is not canonical is not found.
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

/// Middleware around the routes of the API: only what the table found reaches them.
///
/// # Errors
/// `METHOD_NOT_ALLOWED`, `NOT_FOUND`, and those of `endpoint`.
pub async fn found<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
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

    /// The value of `Allow` (RFC 9110 §10.2.1).
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

/// Is `path` in the one form that names its resource (RFC 3986 §6.2.2)? No empty or dot segments, and nothing
/// percent-encoded that need not be, or that would be a separator or a control character once decoded.
fn is_canonical(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        // The last one may be empty: whether a path ends in a slash is for its route to say.
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
            // Some readers take it for a slash.
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

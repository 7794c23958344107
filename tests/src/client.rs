//! An HTTP client of the program. It prints the whole exchange when an answer is unexpected.

use std::{future::IntoFuture, pin::Pin};

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::openapi_contract;

/// The password of all registered users: long, and in no list of leaked ones.
pub const PASSWORD: &str = "Quartz-lantern-47-meadow";

/// A client with a base URL and the headers of all its requests. It follows no redirects and uses no proxies.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
    organization: Option<String>,
}

/// The organization of [`Client::create_organization`].
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id, a UUID.
    pub id: String,
    /// The slug.
    pub slug: String,
    /// The whole answer.
    pub body: Value,
}

impl Client {
    /// A client of the server at this URL.
    pub fn new(base: &str) -> Self {
        let http =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("an HTTP client");
        Self { http, base: base.to_owned(), headers: HeaderMap::new(), organization: None }
    }

    /// The URL of its server.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same client; `{org}` in its paths is the organization with this slug.
    pub fn in_organization(&self, slug: &str) -> Self {
        Self { organization: Some(slug.to_owned()), ..self.clone() }
    }

    /// The same client with an additional header in every request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        insert(&mut client.headers, name, value);
        client
    }

    /// The same client with an access token.
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The access token of the client.
    pub fn token(&self) -> &str {
        let value = self.headers.get("authorization").and_then(|value| value.to_str().ok());
        value.and_then(|value| value.strip_prefix("Bearer ")).expect("the caller carries a token")
    }

    /// A request without a body.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let method = method.parse().unwrap_or_else(|_| panic!("{method} is no method"));
        Request {
            client: self.clone(),
            method,
            path: self.organization.as_ref().map_or(path.to_owned(), |slug| path.replace("{org}", slug)),
            headers: self.headers.clone(),
            body: Vec::new(),
        }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: impl Into<Value>) -> Request {
        self.request("POST", path).json(body)
    }

    /// PATCH with a JSON body.
    pub fn patch(&self, path: &str, body: impl Into<Value>) -> Request {
        self.request("PATCH", path).json(body)
    }

    /// PUT with a JSON body.
    pub fn put(&self, path: &str, body: impl Into<Value>) -> Request {
        self.request("PUT", path).json(body)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// Registers a user and logs in; returns a client with the access token.
    pub async fn register(&self, email: &str) -> Self {
        let person = json!({ "email": email, "password": PASSWORD });
        self.post("/api/v1/auth/register", person).await.expect(201);
        self.log_in(email, PASSWORD).await
    }

    /// Logs in; returns a client with the access token.
    pub async fn log_in(&self, email: &str, password: &str) -> Self {
        let person = json!({ "email": email, "password": password });
        let session = self.post("/api/v1/auth/login", person).await.expect(200);
        let token =
            session["access_token"].as_str().unwrap_or_else(|| panic!("no access_token in {session}"));
        self.bearer(token)
    }

    /// Creates an organization with the caller as its owner.
    pub async fn create_organization(&self, slug: &str) -> Organization {
        let body =
            self.post("/api/v1/organizations", json!({ "name": slug, "slug": slug })).await.expect(201);
        let text = |key: &str| body[key].as_str().unwrap_or_else(|| panic!("no {key} in {body}")).to_owned();
        Organization { id: text("id"), slug: text("slug"), body }
    }
}

/// A request; `.await` sends it.
#[must_use]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    /// Sets a header of this request only.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        insert(&mut self.headers, name, value);
        self
    }

    /// Sets the access token of this request only.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    pub fn json(self, body: impl Into<Value>) -> Self {
        self.body("application/json", body.into().to_string())
    }

    /// Sets any body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sends it and passes the body of a 200 in pieces to `each`, for large files. Returns the headers.
    pub async fn download(self, mut each: impl FnMut(&[u8])) -> HeaderMap {
        let url = format!("{}{}", self.client.base, self.path);
        let request = self.client.http.request(self.method, url).headers(self.headers).body(self.body);
        let fail = |error: reqwest::Error| -> ! { panic!("{}\n{error:?}", self.path) };
        let mut response = request.send().await.unwrap_or_else(|error| fail(error));
        assert_eq!(response.status(), 200, "{}", self.path);
        while let Some(piece) = response.chunk().await.unwrap_or_else(|error| fail(error)) {
            each(&piece);
        }
        response.headers().clone()
    }

    async fn send(self) -> Reply {
        let sent = format!("{} {}\n{}", self.method, self.path, String::from_utf8_lossy(&self.body));
        let url = format!("{}{}", self.client.base, self.path);
        let request =
            self.client.http.request(self.method.clone(), url).headers(self.headers).body(self.body);
        let response = request.send().await.unwrap_or_else(|error| panic!("{sent}\n{error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_else(|error| panic!("{sent}\n{status}\n{error:?}"));
        let reply = Reply { status, headers, body: body.into(), sent };
        if let Some(fault) = openapi_contract::violation(self.method.as_str(), &self.path, &reply) {
            reply.fail(&fault);
        }
        reply
    }
}

impl IntoFuture for Request {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An answer.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Vec<u8>,
    pub(crate) sent: String,
}

impl Reply {
    /// The status and the JSON body without `instance` and `request_id`, to compare answers of different requests.
    #[track_caller]
    pub fn outcome(&self) -> (u16, Value) {
        let is_json = self.header("content-type").is_some_and(|kind| {
            kind.starts_with("application/json") || kind.starts_with("application/problem+json")
        });
        let mut body = if is_json { self.json() } else { Value::Null };
        if let Some(body) = body.as_object_mut() {
            body.retain(|member, _| !["instance", "request_id", "trace_id"].contains(&&**member));
        }
        (self.status, body)
    }

    /// The field errors as sorted `field CODE`.
    #[track_caller]
    pub fn faults(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let mut faults: Vec<_> =
            errors.iter().map(|error| format!("{} {}", text(error, "field"), text(error, "code"))).collect();
        faults.sort();
        faults
    }

    /// A header as text; `None` when it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_else(|_| self.fail("a header is not text")))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|_| self.fail("the body is not text"))
    }

    /// The body as JSON; `Null` when it is empty.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|_| self.fail("the body is not JSON"))
    }

    /// The JSON body of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        self.check(self.status == status, &format!("expected {status}"));
        self.json()
    }

    /// The body of an error with this status and code. It must be well formed (RFC 9457) and without internal details.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        self.check(
            self.header("content-type") == Some("application/problem+json"),
            "expected application/problem+json",
        );
        for member in [
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "error",
            "message",
            "errors",
            "request_id",
            "trace_id",
        ] {
            self.check(problem.get(member).is_some(), &format!("expected the member {member}"));
        }
        self.check(problem["error"] == code, &format!("expected the error {code}"));
        let fields = problem["errors"].as_array().into_iter().flatten();
        let messages = fields.map(|field| &field["message"]).chain([&problem["message"]]);
        for message in messages.filter_map(Value::as_str) {
            self.check(!message.contains('`'), &format!("expected a message for users: {message}"));
        }
        let kebab = code.to_lowercase().replace('_', "-");
        self.check(
            problem["type"] == format!("/problems/{kebab}"),
            "expected the type to be made of the error",
        );
        self.check(problem["status"] == status, "expected the status in the body");
        self.check(problem["message"] == problem["detail"], "expected message and detail to be alike");
        for inside in ["sqlx", "SELECT", "panicked", "src/"] {
            self.check(!self.text().contains(inside), &format!("the answer tells {inside}"));
        }
        problem
    }

    #[track_caller]
    fn check(&self, holds: bool, wish: &str) {
        if !holds {
            self.fail(wish)
        }
    }

    #[track_caller]
    fn fail(&self, wish: &str) -> ! {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        panic!(
            "{wish}\n> {}\n< {}\n{headers}\n{}",
            self.sent,
            self.status,
            String::from_utf8_lossy(&self.body)
        )
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    let name: HeaderName = name.parse().unwrap_or_else(|_| panic!("{name} is no header"));
    let value = HeaderValue::from_str(value).unwrap_or_else(|_| panic!("{value:?} cannot be in a header"));
    headers.insert(name, value);
}

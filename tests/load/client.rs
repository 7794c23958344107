//! An HTTP client with persistent connections and without retries.

use std::{net::IpAddr, time::Duration};

use insula_tests::PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};

/// Path of the projects of the organization `acme`.
pub(crate) const PROJECTS: &str = "/api/v1/organizations/acme/projects";

/// Path of the time entries of the organization `acme`.
const TIME_ENTRIES: &str = "/api/v1/organizations/acme/time-entries";

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct LoadClient {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// Status, whether there is a `Retry-After` header, and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) can_wait: bool,
    pub(crate) body: Value,
}

impl Answer {
    fn expect(self, status: u16) -> Result<Value, String> {
        match self.status == status {
            true => Ok(self.body),
            false => Err(format!("{} {}", self.status, self.body)),
        }
    }
}

impl LoadClient {
    pub(crate) fn new(base: &str) -> Result<Self, String> {
        Ok(Self { http: http(None)?, base: base.to_owned(), token: None })
    }

    /// The same user at another server, with separate connections.
    pub(crate) fn moved_to(&self, base: &str) -> Result<Self, String> {
        Ok(Self { http: http(None)?, base: base.to_owned(), token: self.token.clone() })
    }

    /// The same user from this IP address.
    pub(crate) fn from(&self, address: IpAddr) -> Result<Self, String> {
        Ok(Self { http: http(Some(address))?, ..self.clone() })
    }

    /// The access token of the user.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// # Errors
    /// When there is no answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let failed = |error: reqwest::Error| format!("{method} {path}: {error:?}");
        let response = request.send().await.map_err(failed)?;
        let (status, can_wait) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
        let body = response.bytes().await.map_err(failed)?;
        Ok(Answer { status, can_wait, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn log_in(&self, email: &str) -> Result<Answer, String> {
        let body = json!({ "email": email, "password": PASSWORD });
        self.ask(Method::POST, "/api/v1/auth/login", Some(&body)).await
    }

    /// Registers and logs in.
    pub(crate) async fn register(self, email: &str) -> Result<Self, String> {
        let body = json!({ "email": email, "password": PASSWORD });
        self.ask(Method::POST, "/api/v1/auth/register", Some(&body)).await?.expect(201)?;
        let session = self.log_in(email).await?.expect(200)?;
        let token = session["access_token"].as_str().map(str::to_owned);
        Ok(Self { token, ..self })
    }

    pub(crate) async fn create_organization(&self, slug: &str) -> Result<(), String> {
        let body = json!({ "name": slug, "slug": slug });
        self.ask(Method::POST, "/api/v1/organizations", Some(&body)).await?.expect(201).map(drop)
    }

    /// Creates a project with this code.
    pub(crate) async fn create_project(&self, code: &str) -> Result<(), String> {
        let body = json!({ "code": code, "name": code });
        self.ask(Method::POST, PROJECTS, Some(&body)).await?.expect(201).map(drop)
    }

    /// Creates a time entry of one hour with these notes. All clients are one member, so they all lock the same row.
    pub(crate) async fn create_time_entry(&self, notes: &str) -> Result<(), String> {
        let (from, to) = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
        let body = json!({ "started_at": from, "ended_at": to, "notes": notes });
        self.ask(Method::POST, TIME_ENTRIES, Some(&body)).await?.expect(201).map(drop)
    }

    pub(crate) async fn list_projects(&self) -> Result<(), String> {
        self.get(PROJECTS).await?.expect(200).map(drop)
    }
}

fn http(from: Option<IpAddr>) -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).local_address(from).build();
    client.map_err(|error| error.to_string())
}

//! An HTTP client that accepts lost connections.

use std::{sync::Arc, time::Duration};

use insula_tests::{PASSWORD, TestDatabase};
use reqwest::Method;
use serde_json::{Value, json};

use crate::acknowledged::Acknowledged;

/// What came back.
pub(crate) enum Answer {
    /// Status and body.
    Response(u16, Value),
    /// No response: the request may or may not have been processed.
    NoResponse,
}

impl Answer {
    pub(crate) fn is(&self, status: u16) -> bool {
        matches!(self, Self::Response(given, _) if *given == status)
    }
}

#[derive(Clone)]
pub(crate) struct ChaosClient {
    http: reqwest::Client,
    base: String,
    acknowledged: Arc<Acknowledged>,
    token: Option<String>,
    is_superuser: bool,
}

impl ChaosClient {
    pub(crate) fn new(base: &str, acknowledged: &Arc<Acknowledged>) -> Result<Self, String> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build();
        let http = http.map_err(|error| error.to_string())?;
        Ok(Self {
            http,
            base: format!("{base}/api/v1"),
            acknowledged: Arc::clone(acknowledged),
            token: None,
            is_superuser: false,
        })
    }

    /// `expected`: what may come besides 503. Any other status is recorded as unexpected.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
        expected: &[u16],
    ) -> Answer {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if self.is_superuser {
            request = request.header("x-platform-access", "chaos test");
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let Ok(response) = request.send().await else { return self.no_response() };
        let status = response.status().as_u16();
        let can_wait = response.headers().contains_key("retry-after");
        let Ok(body) = response.bytes().await else { return self.no_response() };
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.acknowledged.record_status(status);
        if !(expected.contains(&status) || status == 503 && can_wait) {
            self.acknowledged.record_unexpected(format!("{method} {path}: {status} {body}"));
        }
        Answer::Response(status, body)
    }

    /// The same user with the header of platform access.
    pub(crate) fn as_superuser(&self) -> Self {
        Self { is_superuser: true, ..self.clone() }
    }

    fn no_response(&self) -> Answer {
        self.acknowledged.record_status(0);
        Answer::NoResponse
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, expected: &[u16]) -> Answer {
        self.ask(Method::POST, path, None, Some(body), expected).await
    }

    /// Does the program reach its database?
    pub(crate) async fn can_read(&self) -> bool {
        self.ask(Method::GET, "/users/me", None, None, &[200]).await.is(200)
    }

    /// Registers; the user's id if it was acknowledged.
    pub(crate) async fn register(&self, email: &str) -> Option<String> {
        let credentials = json!({ "email": email, "password": PASSWORD });
        match self.post("/auth/register", &credentials, &[201]).await {
            Answer::Response(201, body) => body["id"].as_str().map(str::to_owned),
            _ => None,
        }
    }

    /// A logged-in user with a verified e-mail address (set in the database, because the mail server keeps no e-mails), and
    /// their id.
    ///
    /// # Errors
    /// When that does not work, though nothing is broken yet.
    pub(crate) async fn owner(&self, database: &TestDatabase, email: &str) -> Result<(Self, String), String> {
        let id = self.register(email).await.ok_or("the owner cannot register")?;
        database.execute("UPDATE users SET email_verified_at = created_at").await;
        let credentials = json!({ "email": email, "password": PASSWORD });
        match self.post("/auth/login", &credentials, &[200]).await {
            Answer::Response(200, body) => {
                let token = body["access_token"].as_str().map(str::to_owned);
                Ok((Self { token, ..self.clone() }, id))
            }
            _ => Err("the owner cannot log in".to_owned()),
        }
    }
}

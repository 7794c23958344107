//! One configuration of Insula that is measured in turns with others.

use std::time::Duration;

use insula_tests::{ClusterConfig, DatabaseKind, PASSWORD, TestCluster, TestDatabase, services::Durability};
use serde_json::{Value, json};

/// Acknowledged writes survive a power loss, as in production.
const DURABILITY: Durability = Durability::SurvivesPowerLoss;

/// E-mail address of the first user.
pub(crate) const OWNER: &str = "ada@example.com";

pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) cluster: TestCluster,
    pub(crate) database: TestDatabase,
    /// Id of the first user.
    pub(crate) user: String,
    http: reqwest::Client,
    /// Access token of the first user; empty before they log in.
    token: String,
}

/// A server and a separate worker on PostgreSQL, with Redis for job wake-ups.
pub(crate) fn with_redis() -> ClusterConfig {
    ClusterConfig { durability: DURABILITY, ..ClusterConfig::with_worker(DatabaseKind::Postgres) }
}

/// The same without Redis: the worker polls every two seconds.
pub(crate) fn without_redis() -> ClusterConfig {
    ClusterConfig { has_redis: false, ..with_redis() }
}

/// A server that does its work itself.
pub(crate) fn embedded(database: DatabaseKind) -> ClusterConfig {
    ClusterConfig { durability: DURABILITY, has_redis: false, ..ClusterConfig::on(database) }
}

impl Setup {
    /// Starts a cluster with one user and no pending jobs.
    ///
    /// # Errors
    /// What does not start.
    pub(crate) async fn start(name: &'static str, config: ClusterConfig) -> Result<Self, String> {
        let cluster = TestCluster::start(config).await?;
        cluster.start_workers().await?;
        // The server closes idle connections, perhaps while a request is being sent.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let http = http.timeout(Duration::from_secs(30)).build();
        let http = http.map_err(|error| error.to_string())?;
        let database = cluster.database().await;
        let mut setup = Self { name, cluster, database, user: String::new(), http, token: String::new() };
        let credentials = json!({ "email": OWNER, "password": PASSWORD });
        let registered = setup.post("/auth/register", credentials).await?;
        setup.user = registered["id"].as_str().ok_or("a registration names nobody")?.to_owned();
        setup.cluster.drain().await?;
        Ok(setup)
    }

    /// Verifies the e-mail address of the first user and logs them in. Later requests are theirs. Returns the access token.
    ///
    /// # Errors
    /// What came instead of a token.
    pub(crate) async fn log_in(&mut self) -> Result<String, String> {
        self.database.execute("UPDATE users SET email_verified_at = created_at").await;
        let credentials = json!({ "email": OWNER, "password": PASSWORD });
        let login = self.post("/auth/login", credentials).await?;
        self.token = login["access_token"].as_str().ok_or("a log-in without a token")?.to_owned();
        Ok(self.token.clone())
    }

    /// Posts something; gives the answer.
    ///
    /// # Errors
    /// What came instead of a 2xx.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        self.send(path, request.body(body.to_string())).await
    }

    /// Gets something.
    ///
    /// # Errors
    /// What came instead of a 2xx.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(path, self.http.get(self.url(path))).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.cluster.url)
    }

    async fn send(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let response = request.send().await.map_err(|error| format!("{path}: {error:?}"))?;
        let status = response.status();
        let body = response.text().await.map_err(|error| format!("{path}: {error}"))?;
        match status.is_success() {
            true => Ok(serde_json::from_str(&body).unwrap_or_default()),
            false => Err(format!("{path}: {status} {body}")),
        }
    }
}

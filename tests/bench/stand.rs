//! One way to run Insula, beside others that are measured in turns with it.

use std::time::Duration;

use insula_tests::{ClusterConfig, DatabaseKind, PASSWORD, TestCluster, TestDatabase, services::Durability};
use serde_json::{Value, json};

/// What a database acknowledges outlives the machine, as it does where people work.
const DURABILITY: Durability = Durability::SurvivesPowerLoss;

/// Who registered first.
pub(crate) const FOUNDER: &str = "ada@example.com";

pub(crate) struct Stand {
    pub(crate) name: &'static str,
    pub(crate) cluster: TestCluster,
    pub(crate) database: TestDatabase,
    /// The founder.
    pub(crate) user: String,
    http: reqwest::Client,
}

/// A server and a worker beside it, on PostgreSQL, which Redis tells of jobs.
pub(crate) fn told() -> ClusterConfig {
    ClusterConfig { durability: DURABILITY, ..ClusterConfig::with_worker(DatabaseKind::Postgres) }
}

/// The same without Redis: the worker looks every two seconds.
pub(crate) fn untold() -> ClusterConfig {
    ClusterConfig { has_redis: false, ..told() }
}

/// A server that does its work itself.
pub(crate) fn embedded(database: DatabaseKind) -> ClusterConfig {
    ClusterConfig { durability: DURABILITY, has_redis: false, ..ClusterConfig::on(database) }
}

impl Stand {
    /// With one person in it, and nothing to be done.
    ///
    /// # Errors
    /// What does not start.
    pub(crate) async fn start(name: &'static str, config: ClusterConfig) -> Result<Self, String> {
        let cluster = TestCluster::start(config).await?;
        cluster.start_workers().await?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build();
        let http = http.map_err(|error| error.to_string())?;
        let database = cluster.database().await;
        let mut stand = Self { name, cluster, database, user: String::new(), http };
        let person = json!({ "email": FOUNDER, "password": PASSWORD });
        let registered = stand.post("/auth/register", person).await?;
        stand.user = registered["id"].as_str().ok_or("a registration names nobody")?.to_owned();
        stand.cluster.drain().await?;
        Ok(stand)
    }

    /// Asks for something; gives the answer.
    ///
    /// # Errors
    /// What came instead of a 2xx.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let request = self.http.post(format!("{}/api/v1{path}", self.cluster.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.map_err(|error| format!("{path}: {error}"))?;
        let status = response.status();
        let body = response.text().await.map_err(|error| format!("{path}: {error}"))?;
        match status.is_success() {
            true => Ok(serde_json::from_str(&body).unwrap_or_default()),
            false => Err(format!("{path}: {status} {body}")),
        }
    }
}

//! Servers of Insula on one PostgreSQL and one Redis, as in production, and the owner of an organization.

use insula_tests::{
    InsulaProcess, TestDatabase, TestEnv,
    services::{Durability, Services, free_port},
};
use tokio::sync::Mutex;

use crate::client::LoadClient;

/// Fields are dropped in order: a field comes before those that it uses.
pub(crate) struct LoadCluster {
    pub(crate) apis: Vec<Mutex<InsulaProcess>>,
    /// Their ports.
    pub(crate) ports: Vec<u16>,
    env: TestEnv,
    _services: Services,
}

impl LoadCluster {
    /// Starts servers with these additional settings; the first one migrates.
    ///
    /// # Errors
    /// A sentence when a server does not start.
    pub(crate) async fn start(servers: usize, settings: &[(&str, &str)]) -> Result<Self, String> {
        let services = Services::start(Durability::SurvivesKill).await?;
        let (url, admin_url) = (&services.postgres.url, services.postgres.admin_url.clone());
        let env = TestEnv::on_postgres(url, admin_url).await;
        let mut envs = vec![
            ("INSULA_OPS_BIND".to_owned(), "127.0.0.1:0".to_owned()),
            ("INSULA_ACCESS_TOKEN_TTL".to_owned(), "7200".to_owned()),
            ("INSULA_MAX_CONNECTIONS_PER_PEER".to_owned(), "20000".to_owned()),
            ("NO_COLOR".to_owned(), "1".to_owned()),
            ("REDIS_URL".to_owned(), services.redis.url.clone()),
        ];
        envs.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (mut apis, mut ports) = (Vec::new(), Vec::new());
        for number in 0..servers {
            let port = free_port()?;
            let arguments = ["serve", "--port", &port.to_string()];
            let name = format!("api-{number}");
            let mut api = InsulaProcess::new(&name, &env, &arguments, &envs, "Insula listens on");
            api.start().await?;
            apis.push(Mutex::new(api));
            ports.push(port);
        }
        Ok(Self { apis, ports, env, _services: services })
    }

    /// URL of the first server.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Opens the database.
    pub(crate) async fn database(&self) -> TestDatabase {
        self.env.database().await
    }

    /// Registers the owner of a new organization `acme` with 20 projects.
    ///
    /// # Errors
    /// The failed request.
    pub(crate) async fn owner(&self) -> Result<LoadClient, String> {
        let owner = LoadClient::new(&self.url())?.register("owner@example.com").await?;
        owner.create_organization("acme").await?;
        for number in 0..20 {
            owner.create_project(&format!("SEED{number}")).await?;
        }
        Ok(owner)
    }

    /// Memory of the first server in bytes: now, and the peak.
    ///
    /// # Errors
    /// When the server has ended.
    pub(crate) async fn memory(&self) -> Result<(u64, u64), String> {
        let api = self.apis[0].lock().await;
        api.memory().zip(api.peak_memory()).ok_or_else(|| "the server has ended".to_owned())
    }

    /// Log lines of the servers above INFO level.
    pub(crate) async fn logs(&self) -> String {
        let mut logs = String::new();
        for api in &self.apis {
            let api = api.lock().await;
            let log = std::fs::read_to_string(api.log()).unwrap_or_default();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains(" INFO ")).collect();
            logs += &format!("--- {}\n{}\n", api.name, lines[lines.len().saturating_sub(20)..].join("\n"));
        }
        logs
    }
}

/// Formats bytes as MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}

//! Servers of Insula on one PostgreSQL and one Redis, as they run in production, and somebody who owns an organization.

use insula_tests::{
    InsulaProcess, TestDatabase, TestEnv,
    services::{Durability, Services, free_port},
};
use tokio::sync::Mutex;

use crate::person::Person;

/// Dropped from top to bottom: users of a field come before it.
pub(crate) struct House {
    pub(crate) apis: Vec<Mutex<InsulaProcess>>,
    /// Where they listen.
    pub(crate) ports: Vec<u16>,
    env: TestEnv,
    _services: Services,
}

impl House {
    /// So many servers, with these settings besides; the first one migrates.
    ///
    /// # Errors
    /// A sentence, when something does not start.
    pub(crate) async fn build(servers: usize, settings: &[(&str, &str)]) -> Result<Self, String> {
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

    /// Where the first one answers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Opens the database.
    pub(crate) async fn database(&self) -> TestDatabase {
        self.env.database().await
    }

    /// Somebody who owns the organization `acme`, with some projects in it.
    ///
    /// # Errors
    /// What does not work.
    pub(crate) async fn founder(&self) -> Result<Person, String> {
        let founder = Person::at(&self.url())?.register("founder@example.com").await?;
        founder.create_organization("acme").await?;
        for number in 0..20 {
            founder.plan(&format!("SEED{number}")).await?;
        }
        Ok(founder)
    }

    /// Bytes of memory of the first one: now, and at most so far.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) async fn memory(&self) -> Result<(u64, u64), String> {
        let api = self.apis[0].lock().await;
        api.memory().zip(api.peak_memory()).ok_or_else(|| "the server has ended".to_owned())
    }

    /// What the servers said that is not everyday.
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

/// As it is shown.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}

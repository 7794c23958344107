//! Runs every query against a Prometheus that scrapes a server and a worker under load.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use insula_tests::{
    Client, ClusterConfig, DatabaseKind, FaultMode, TestCluster, binary, console,
    services::{Durability, Prometheus},
    setting,
};
use serde_json::{Value, json};

use crate::{dashboards::DASHBOARDS, files::Files};

/// How long queries may return nothing at first. `rate()` needs two scrapes of the window.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The window of `rate()` in the test; Grafana fills it in otherwise.
const WINDOW: &str = "20s";

/// Metrics that a healthy installation does not have, with the reason. Queries use `or vector(0)` for them.
const ABSENT: &[(&str, &str)] = &[
    ("insula_requests_shed_total", "is counted after the first overload"),
    ("insula_traces_dropped_total", "is counted after the first span that is not exported"),
    ("insula_jobs_lease_expired_total", "is counted after a worker disappeared"),
];

/// The beginnings of the names of metrics, to find them in a query.
const PREFIXES: [&str; 8] =
    ["insula_", "insula:", "http_", "db_", "messaging_", "process_", "tokio_", "target_info"];

/// # Errors
/// A sentence when a process does not start.
pub(crate) async fn check(files: &Files) -> Result<Vec<String>, String> {
    let mut cluster = TestCluster::start(ClusterConfig {
        durability: Durability::Volatile,
        ..ClusterConfig::with_worker(DatabaseKind::Postgres)
    })
    .await?;
    cluster.start_workers().await?;
    let api = ops_port(&cluster.api.lock().await.log())?;
    let worker = ops_port(&cluster.workers[0].lock().await.log())?;
    let seeded = cluster.env().insula(&["seed", "demo"], &[]);
    if !seeded.status.success() {
        return Err(format!("insula seed demo: {}", String::from_utf8_lossy(&seeded.stderr)));
    }
    let password = fs::read_to_string(cluster.env().folder().join("demo.txt"));
    let password = password.map_err(|error| format!("demo.txt: {error}"))?.trim().to_owned();
    let prometheus = Prometheus::start(&[api, worker], &files.rules()).await?;

    let client = Client::new(&cluster.url);
    let olivia = client.log_in("olivia@demo.example", &password).await;
    // The deadline is checked by `ask_all`; the load runs beside it.
    let (failures, ()) = tokio::select! {
        failures = ask_all(&prometheus, files) => (failures?, ()),
        never = load(&client, &olivia, &mut cluster) => match never {},
    };
    let commands = files.commands();
    let failed = commands.iter().filter_map(|(name, block)| run(&cluster, worker, name, block));
    let failures = failures.into_iter().chain(failed).collect();
    console::line(&format!("  {} blocks of commands in runbooks were run", commands.len()));
    Ok(failures)
}

/// Runs a block of commands of a runbook; returns what went wrong. Each command must succeed and say something.
fn run(cluster: &TestCluster, ops_port: u16, name: &str, block: &str) -> Option<String> {
    let (env, program) = (cluster.env(), binary("insula"));
    let servers = cluster.servers.as_ref()?;
    let path = setting("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", block])
        .current_dir(env.folder())
        .env_clear()
        .env("PATH", format!("{}:{path}", program.parent()?.display()))
        .env("OPS", format!("http://127.0.0.1:{ops_port}"))
        .env("INSULA_OPS_BIND", format!("127.0.0.1:{ops_port}"))
        .env("ADMIN_URL", env.admin_url())
        .env("REDIS_URL", &servers.redis.try_lock().ok()?.url)
        .env("DATABASE_URL", env.database_url())
        .env("INSULA_DATA_DIR", env.folder())
        .output();
    let output = output.map_err(|error| format!("{name}: cannot run bash: {error}"));
    match output {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => None,
        Ok(output) => Some(format!(
            "{name}: a command fails or says nothing: {block}{}",
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        )),
        Err(error) => Some(error),
    }
}

/// The port that a process has printed.
fn ops_port(log: &Path) -> Result<u16, String> {
    let text = fs::read_to_string(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let port = text.split("ops port is http://127.0.0.1:").nth(1).and_then(|rest| rest.lines().next());
    port.and_then(|port| port.trim().parse().ok()).ok_or_else(|| format!("no ops port in {text}"))
}

/// Uses the product: reads, changes, wrong passwords, e-mails that are sent, deferred and refused.
async fn load(client: &Client, olivia: &Client, cluster: &mut TestCluster) -> std::convert::Infallible {
    const MODES: [FaultMode; 3] = [FaultMode::Accept, FaultMode::Greylist, FaultMode::Bounce];
    for number in 0_usize.. {
        if let Err(error) = cluster.fake_smtp.get_mut().set_mode(MODES[number % MODES.len()]) {
            console::line(&format!("  the mail server: {error}"));
        }
        let path = |end: &str| format!("/api/v1/organizations/demo/{end}");
        let invitation = json!({ "email": format!("guest-{number}@example.com"), "roles": ["viewer"] });
        olivia.post(&path("invitations"), invitation).await;
        olivia.post(&path("projects"), json!({ "code": format!("P{number}"), "name": "Load" })).await;
        for end in ["projects", "members", "audit-events", "nowhere"] {
            olivia.get(&path(end)).await;
        }
        client.get(&path("projects")).await;
        let wrong = json!({ "email": "olivia@demo.example", "password": "not this passphrase" });
        client.post("/api/v1/auth/login", wrong).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    std::future::pending().await
}

async fn ask_all(prometheus: &Prometheus, files: &Files) -> Result<Vec<String>, String> {
    let mut queries: Vec<(String, String)> = Vec::new();
    for dashboard in DASHBOARDS {
        for panel in dashboard.panels {
            let place = format!("{} / {}", dashboard.name, panel.title);
            queries.extend(panel.queries().map(|query| (place.clone(), fill_in(&query))));
        }
    }
    let count = queries.len();
    let (deadline, mut failures) = (Instant::now() + TIMEOUT, Vec::new());
    while !queries.is_empty() && Instant::now() < deadline {
        let mut empty = Vec::new();
        for (place, query) in queries {
            match prometheus.query(&query).await {
                Ok(series) if series.is_empty() => empty.push((place, query)),
                Ok(_) => {}
                Err(error) => failures.push(format!("{place}: {error}: {query}")),
            }
        }
        queries = empty;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    failures.extend(queries.iter().map(|(place, query)| format!("{place} returns nothing: {query}")));
    console::line(&format!("  {} of {count} queries of dashboards return something", count - queries.len()));

    let rules = prometheus.rules().await?;
    failures.extend(check_rules(&rules, files));
    let names: BTreeSet<String> = prometheus.names().await?.into_iter().collect();
    let dashboards = DASHBOARDS.iter().flat_map(|dashboard| dashboard.panels);
    let texts = dashboards.flat_map(|panel| panel.queries().collect::<Vec<_>>());
    let texts = texts.chain(rules.iter().filter_map(|rule| Some(rule["query"].as_str()?.to_owned())));
    let used: BTreeSet<String> = texts.flat_map(|text| metrics_of(&text)).collect();
    for name in &used {
        let is_absent = ABSENT.iter().any(|(absent, _)| absent == name);
        match names.contains(name) {
            false if !is_absent => failures.push(format!("{name} is used and does not exist")),
            true if is_absent => failures.push(format!("{name} exists, so it is no exception any more")),
            _ => {}
        }
    }
    console::line(&format!("  {} metrics are used, {} rules are evaluated", used.len(), rules.len()));
    Ok(failures)
}

/// Rules are evaluated without errors, and alerts have all that people need.
fn check_rules(rules: &[Value], files: &Files) -> Vec<String> {
    let (mut failures, mut runbooks) = (Vec::new(), files.runbooks());
    for rule in rules {
        let name = rule["name"].as_str().unwrap_or_default();
        if rule["health"] != "ok" {
            failures.push(format!("{name} cannot be evaluated: {}", rule["lastError"]));
        }
        if rule["type"] != "alerting" {
            continue;
        }
        if !["page", "ticket"].iter().any(|severity| rule["labels"]["severity"] == *severity) {
            failures.push(format!("{name} has no severity"));
        }
        for annotation in ["summary", "description"] {
            if rule["annotations"][annotation].as_str().is_none_or(str::is_empty) {
                failures.push(format!("{name} has no {annotation}"));
            }
        }
        let runbook = rule["annotations"]["runbook_url"].as_str().unwrap_or_default();
        failures.extend(files.check_runbook(runbook).map(|fault| format!("{name}: {fault}")));
        runbooks.remove(runbook);
    }
    failures.extend(runbooks.iter().map(|runbook| format!("no alert leads to {runbook}")));
    failures
}

/// Replaces the variables of Grafana.
fn fill_in(query: &str) -> String {
    query.replace("$__rate_interval", WINDOW).replace("$instance", ".*").replace("$job", ".*")
}

/// The names of metrics in a query. Labels in `{…}` and `by (…)` are no names.
fn metrics_of(query: &str) -> Vec<String> {
    let mut text = String::new();
    let mut depth = 0;
    for letter in query.replace("by (", "{").chars() {
        match letter {
            '{' => depth += 1,
            '}' | ')' if depth > 0 => depth -= 1,
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
    }
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
    let is_metric = |word: &&str| PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    words.filter(is_metric).map(str::to_owned).collect()
}

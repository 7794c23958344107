//! Requests per second, latency and CPU time of common requests, with many organizations in the database, beside those of a
//! floor: the least that a program must do for the same answers.

mod counted;
mod fill;
mod floor;
mod plots;
mod report;
mod rounds;
mod scripts;
mod svg;
mod targets;
mod wire;
mod works;

use insula_tests::{ClusterConfig, DatabaseKind, TestRng, console, services};

use self::{
    fill::SIZES,
    floor::FloorProcess,
    plots::{GrowthPoint, LoadPoint},
    report::{Report, StartReport},
    rounds::{Programs, Summary},
    scripts::Scripts,
    works::PROJECTS,
};
use crate::setup::{self, Setup};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Organizations and time entries in the database.
    organizations: u32,
    entries: u32,
    /// Seconds of one round.
    seconds: u32,
    /// Rounds of each kind of request, in random order.
    rounds: usize,
    /// Whether SQLite is measured, too.
    sqlite: bool,
}

impl Scale {
    /// Less than ten minutes.
    pub(crate) const FULL: Self =
        Self { organizations: 1000, entries: 1_000_000, seconds: 2, rounds: 3, sqlite: true };
    /// Less than two minutes.
    pub(crate) const QUICK: Self =
        Self { organizations: 100, entries: 20_000, seconds: 1, rounds: 1, sqlite: false };
}

/// Connections of the plot of latency over load.
const LEVELS: [u32; 5] = [1, 8, 32, 128, 512];

/// Starts of the server that are measured.
const STARTS: usize = 3;

/// Measures them on PostgreSQL, then on SQLite. Writes the report to `target/bench`, and, if `updates_docs`, to `docs`.
pub(crate) async fn measure(rng: &mut TestRng, scale: Scale, updates_docs: bool) -> Result<(), String> {
    // Before the database is filled.
    services::wrk()?;
    let mut report = Report::new(scale);
    // Everything comes from one address, which gets half of the requests at the same time.
    let settings = vec![
        ("INSULA_MAX_REQUESTS", "1024".to_owned()),
        ("INSULA_MAX_CONNECTIONS_PER_PEER", "1024".to_owned()),
    ];
    let postgres = ClusterConfig { has_redis: true, settings, ..setup::embedded(DatabaseKind::Postgres) };
    on_postgres(rng, scale, postgres, &mut report).await?;
    if scale.sqlite {
        let scale = Scale { organizations: scale.organizations / 10, entries: scale.entries / 10, ..scale };
        report.sqlite = on_sqlite(rng, scale).await?;
    }
    report.write(updates_docs)
}

async fn on_postgres(
    rng: &mut TestRng,
    scale: Scale,
    config: ClusterConfig,
    report: &mut Report,
) -> Result<(), String> {
    title("PostgreSQL, Redis", scale);
    let mut setup = Setup::start("PostgreSQL, Redis", config).await?;
    let filled = fill::fill(&mut setup, scale).await?;
    let scripts = Scripts { token: &filled.token };
    report.start = start(&setup).await?;
    let floor = FloorProcess::start(&setup).await?;
    let programs = Programs { setup: &setup, floor: Some(&floor) };
    let (of_insula, of_floor) = (works::of_insula(&scripts, &filled), works::of_floor(&scripts, &filled));
    let [insula, floor] = rounds::measure(rng, scale, &programs, [&of_insula, &of_floor]).await?;
    report.insula = insula;
    report.floor = floor;
    report.start.loaded = setup.cluster.api.lock().await.memory().unwrap_or_default();
    report.counts = counted::measure(&setup, &of_insula).await?;
    report.print();
    let (insula, floor) = (scripts.get(PROJECTS), scripts.get("/projects"));
    for connections in LEVELS {
        let insula = rounds::once(&programs, false, &insula, connections, scale.seconds).await?;
        let floor = rounds::once(&programs, true, &floor, connections, scale.seconds).await?;
        report.levels.push(LoadPoint { connections, insula: insula.load, floor: floor.load });
    }
    for rows in SIZES {
        let path = format!("/api/v1/organizations/bench-rows-{rows}/time-entries?limit=20");
        rounds::once(&programs, false, &scripts.get(&path), 32, 1).await?;
        let result = rounds::once(&programs, false, &scripts.get(&path), 32, scale.seconds).await?;
        report.growth.push(GrowthPoint { rows, result });
    }
    Ok(())
}

async fn on_sqlite(rng: &mut TestRng, scale: Scale) -> Result<Vec<Summary>, String> {
    title("SQLite", scale);
    let mut setup = Setup::start("SQLite", setup::embedded(DatabaseKind::Sqlite)).await?;
    let filled = fill::fill(&mut setup, scale).await?;
    let scripts = Scripts { token: &filled.token };
    let works: Vec<_> = works::of_insula(&scripts, &filled)
        .into_iter()
        .filter(|work| work.connections == 32 && work.floor != Some("Argon2id"))
        .collect();
    let programs = Programs { setup: &setup, floor: None };
    let [sqlite, _] = rounds::measure(rng, scale, &programs, [&works, &[]]).await?;
    report::print_sqlite(&sqlite);
    Ok(sqlite)
}

fn title(name: &str, Scale { organizations, entries, .. }: Scale) {
    console::title(&format!("{name}: {entries} time entries in {organizations} organizations"));
}

/// Starts the server again on the filled database.
async fn start(setup: &Setup) -> Result<StartReport, String> {
    let mut api = setup.cluster.api.lock().await;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        api.kill();
        let from = std::time::Instant::now();
        api.start().await?;
        times.push(from.elapsed().as_secs_f64() * 1e3);
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let cold_start = insula_tests::stats::median(&times);
    Ok(StartReport { cold_start, idle: api.memory().unwrap_or_default(), loaded: 0 })
}

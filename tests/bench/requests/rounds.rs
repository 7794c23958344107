//! Rounds of load in random order, and their medians.

use std::time::{Duration, Instant};

use insula_tests::{PASSWORD, TestRng, console, stats::median};
use serde_json::{Value, json};

use super::{
    Scale,
    fill::REFRESHER,
    floor::FloorProcess,
    scripts::Scripts,
    works::{Script, Work},
};
use crate::{
    setup::Setup,
    wrk::{self, Load},
};

/// Sessions that are refreshed in one round, more than connections.
const SESSIONS: usize = 64;

/// How long a round waits for the audit events of the round before it to be sealed.
const SEALING: Duration = Duration::from_secs(5);

/// What is measured in turns.
pub(super) struct Programs<'a> {
    pub(super) setup: &'a Setup,
    pub(super) floor: Option<&'a FloorProcess>,
}

/// The result of one round, or the medians of some.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundResult {
    pub(super) load: Load,
    /// Microseconds of CPU time per request of the program and of the database.
    pub(super) cpu: [f64; 2],
}

/// The medians of a kind of request.
pub(super) struct Summary {
    pub(super) name: &'static str,
    pub(super) connections: u32,
    pub(super) operation: Option<&'static str>,
    pub(super) floor: Option<&'static str>,
    pub(super) result: RoundResult,
}

/// Measures the works of Insula and those of the floor in turns, after a first round that fills the caches.
pub(super) async fn measure(
    rng: &mut TestRng,
    scale: Scale,
    programs: &Programs<'_>,
    works: [&[Work]; 2],
) -> Result<[Vec<Summary>; 2], String> {
    let each = || {
        works
            .iter()
            .zip([false, true])
            .flat_map(|(works, on_floor)| works.iter().map(move |work| (work, on_floor)))
    };
    let mut results: Vec<Vec<RoundResult>> = each().map(|_| Vec::new()).collect();
    for number in 0..=scale.rounds {
        let mut order: Vec<_> = each().zip(&mut results).collect();
        rng.shuffle(&mut order);
        for ((work, on_floor), results) in order {
            console::progress(&format!("round {number} of {}: {}", scale.rounds, work.name));
            let script = match &work.script {
                Script::Same(script) => script.clone(),
                Script::Refresh => refresh(programs.setup).await?,
            };
            let seconds = if number == 0 { 1 } else { scale.seconds };
            let result = once(programs, on_floor, &script, work.connections, seconds).await?;
            if number > 0 {
                results.push(result);
            }
            if work.writes {
                wait_until_sealed(programs.setup).await;
            }
        }
    }
    let mut summaries = each().zip(&results).map(|((work, _), results)| Summary {
        name: work.name,
        connections: work.connections,
        operation: work.operation,
        floor: work.floor,
        result: medians(results),
    });
    let insula = summaries.by_ref().take(works[0].len()).collect();
    Ok([insula, summaries.collect()])
}

/// One round.
pub(super) async fn once(
    programs: &Programs<'_>,
    on_floor: bool,
    script: &str,
    connections: u32,
    seconds: u32,
) -> Result<RoundResult, String> {
    let folder = programs.setup.cluster.env().folder();
    let url = match programs.floor {
        Some(floor) if on_floor => &floor.url,
        _ => &programs.setup.cluster.url,
    };
    let before = cpu(programs, on_floor).await;
    let load = wrk::run(folder, url, script, connections, seconds).await?;
    let after = cpu(programs, on_floor).await;
    let per_request = |index: usize| 1000.0 * (after[index] - before[index]) / load.requests.max(1.0);
    Ok(RoundResult { load, cpu: [per_request(0), per_request(1)] })
}

/// The milliseconds of CPU time so far of the program and of the database.
async fn cpu(programs: &Programs<'_>, on_floor: bool) -> [f64; 2] {
    let cluster = &programs.setup.cluster;
    let program = match programs.floor {
        Some(floor) if on_floor => floor.cpu_milliseconds(),
        _ => cluster.api.lock().await.cpu_milliseconds(),
    };
    let database = match &cluster.servers {
        Some(servers) => servers.postgres.lock().await.cpu_milliseconds(),
        None => 0,
    };
    #[expect(clippy::cast_precision_loss, reason = "of milliseconds")]
    [program as f64, database as f64]
}

/// A script with new sessions.
pub(super) async fn refresh(setup: &Setup) -> Result<String, String> {
    let mut tokens = Vec::new();
    for _ in 0..SESSIONS {
        let login = log_in(setup).await?;
        tokens.push(login["refresh_token"].as_str().ok_or("a log-in without a token")?.to_owned());
    }
    Ok(Scripts { token: "" }.refresh(&tokens))
}

/// Logs in, again if the server is still busy with the round before.
async fn log_in(setup: &Setup) -> Result<Value, String> {
    let credentials = json!({ "email": REFRESHER, "password": PASSWORD });
    for _ in 0..10 {
        if let Ok(login) = setup.post("/auth/login", credentials.clone()).await {
            return Ok(login);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    setup.post("/auth/login", credentials).await
}

/// Waits for a moment, so that the next round does not pay for sealing the events of this one.
async fn wait_until_sealed(setup: &Setup) {
    let from = Instant::now();
    let unsealed = "SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE seq IS NULL LIMIT 100) e";
    while from.elapsed() < SEALING && setup.database.scalar(unsealed).await > 20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn medians(results: &[RoundResult]) -> RoundResult {
    let of = |number: &dyn Fn(&RoundResult) -> f64| median(&results.iter().map(number).collect::<Vec<_>>());
    RoundResult {
        load: Load {
            requests: of(&|result| result.load.requests),
            rate: of(&|result| result.load.rate),
            latency: [0, 1, 2].map(|index: usize| of(&|result| result.load.latency[index])),
            errors: results.iter().map(|result| result.load.errors).sum(),
        },
        cpu: [0, 1].map(|index: usize| of(&|result| result.cpu[index])),
    }
}

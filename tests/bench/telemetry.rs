//! The cost of telemetry on an authenticated read: off, metrics with 1 % of the traces, with all of them, and with all traces
//! and logs. The collector accepts everything and keeps nothing.

use insula_tests::stats::median;
use insula_tests::{
    ClusterConfig, DatabaseKind, OtlpReceiver, OtlpTransport, ReceiverMode, TestRng, console,
};

use crate::{
    setup::{self, Setup},
    wrk::{self, Load},
};

/// Rounds of each configuration, in random order.
const ROUNDS: usize = 5;

/// Connections of wrk.
const CONNECTIONS: u32 = 16;

/// Measures the configurations in turns.
pub(crate) async fn measure(rng: &mut TestRng, seconds: u32) -> Result<(), String> {
    console::title("cost of telemetry: GET /users/me on SQLite, exported over OTLP");
    let receiver = OtlpReceiver::in_mode(OtlpTransport::Grpc, ReceiverMode::Discard).await;
    let exporting = |share: &str, logs: &str| {
        let mut settings = receiver.settings();
        settings.retain(|(name, _)| !name.ends_with("SCHEDULE_DELAY"));
        settings.push(("OTEL_TRACES_SAMPLER", "traceidratio".to_owned()));
        settings.push(("OTEL_TRACES_SAMPLER_ARG", share.to_owned()));
        settings.push(("OTEL_LOGS_EXPORTER", logs.to_owned()));
        settings
    };
    let mut setups = Vec::new();
    for (name, settings) in [
        ("off", Vec::new()),
        ("metrics, 1 % of the traces", exporting("0.01", "none")),
        ("metrics, all traces", exporting("1", "none")),
        ("metrics, all traces, logs", exporting("1", "otlp")),
    ] {
        console::progress(&format!("starting: {name}"));
        let config = ClusterConfig { settings, ..setup::embedded(DatabaseKind::Sqlite) };
        let mut setup = Setup::start(name, config).await?;
        let token = setup.log_in().await?;
        let script =
            format!("wrk.headers['authorization'] = 'Bearer {token}'\nwrk.path = '/api/v1/users/me'\n");
        setups.push((setup, script, Vec::<Load>::new()));
    }
    for number in 0..=ROUNDS {
        let mut order: Vec<_> = setups.iter_mut().collect();
        rng.shuffle(&mut order);
        for (setup, script, loads) in order {
            console::progress(&format!("round {number} of {ROUNDS}: {}", setup.name));
            let folder = setup.cluster.env().folder();
            let load = wrk::run(folder, &setup.cluster.url, script, CONNECTIONS, seconds).await?;
            // The first round fills the caches.
            if number > 0 {
                loads.push(load);
            }
        }
    }
    let rate = |loads: &[Load]| median(&loads.iter().map(|load| load.rate).collect::<Vec<_>>());
    let off = rate(&setups[0].2);
    let row = |(setup, _, loads): &(Setup, String, Vec<Load>)| {
        let p99 = median(&loads.iter().map(|load| load.latency[1]).collect::<Vec<_>>());
        let errors: f64 = loads.iter().map(|load| load.errors).sum();
        let cost = off / rate(loads);
        vec![
            setup.name.to_owned(),
            format!("{:.0}", rate(loads)),
            format!("{p99:.1}"),
            format!("{cost:.2}"),
            format!("{errors:.0}"),
        ]
    };
    let rows: Vec<_> = setups.iter().map(row).collect();
    console::table(&["telemetry", "requests/s", "p99 ms", "times the cost", "errors"], &rows);
    console::line(&format!("the collector received {} exports", receiver.requests()));
    Ok(())
}

//! The load generator: wrk, a program of Debian's.

use std::{path::Path, process::Command};

use insula_tests::services;

/// Prints the results as one line, because the text of wrk is for people.
const DONE: &str = r#"
done = function(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), latency:percentile(99.9), errors.connect + errors.read + errors.write + errors.timeout,
        errors.status))
end
"#;

/// What one run measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Number of requests with a response.
    pub(crate) requests: f64,
    /// Responses per second that are 2xx or 3xx.
    pub(crate) rate: f64,
    /// Latency in milliseconds that half, 99 % and 99.9 % of the requests stayed below.
    pub(crate) latency: [f64; 3],
    /// Requests without a response, or with one that is not 2xx or 3xx.
    pub(crate) errors: f64,
}

/// Sends requests over `connections` for some seconds, one after the other on each. `script`: Lua that says what to send.
///
/// # Errors
/// What wrk says when it fails.
pub(crate) async fn run(
    folder: &Path,
    url: &str,
    script: &str,
    connections: u32,
    seconds: u32,
) -> Result<Load, String> {
    let file = folder.join("requests.lua");
    std::fs::write(&file, format!("{script}{DONE}"))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(services::wrk()?);
    command.args(["--threads", "1", "--timeout", "10s", "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{seconds}s"), "--script"]).arg(&file).arg(url);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.map_err(|error| error.to_string())?.map_err(|error| format!("wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let numbers: Option<Vec<f64>> =
        line.map(|line| line.split(' ').filter_map(|number| number.parse().ok()).collect());
    match numbers.as_deref() {
        Some(&[requests, microseconds, half, most, nearly_all, failed, refused]) if microseconds > 0.0 => {
            Ok(Load {
                requests,
                rate: (requests - refused) / (microseconds / 1e6),
                latency: [half / 1e3, most / 1e3, nearly_all / 1e3],
                errors: failed + refused,
            })
        }
        _ => Err(format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr))),
    }
}

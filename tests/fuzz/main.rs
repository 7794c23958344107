//! `fuzz`: runs all phases of schemathesis against the API, as the owner of an organization and as a superuser.
//!
//! It starts all processes itself and ends no others. `INSULA_FUZZ_SECONDS` is the duration (1500), `INSULA_FUZZ_SEED` the seed
//! (1). Exit code: 0 without findings, 1 with findings, 64 when a setting is not valid, 69 when a program is missing.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about settings")]

mod environment;
mod measure;

use std::{
    fs::File,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use environment::Environment;
use insula_tests::{Process, Server, console, setting};
use measure::Measure;

/// Concurrent passes: name, whether as a superuser, and phases. The stateful phase has a separate pass, because no time would
/// be left for it after the others.
const PASSES: [(&str, bool, &str); 4] = [
    ("owner", false, "examples,coverage,fuzzing"),
    ("owner-links", false, "stateful"),
    ("superuser", true, "examples,coverage,fuzzing"),
    ("superuser-links", true, "stateful"),
];

/// Limit of the growth of the server's memory in bytes under new requests.
const GROWTH: u64 = 64 << 20;

/// One answer in this number may be a 401, for a wrong password or an ended session. With more, the callers were not logged in
/// and little was tested.
const STRANGERS: u64 = 5;

/// Time until threads, connections and caches have their full size.
const WARM: Duration = Duration::from_secs(300);

/// Additional time for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(900);

#[tokio::main]
async fn main() -> ExitCode {
    let wishes = number("INSULA_FUZZ_SECONDS", 1500).and_then(|s| Ok((s, number("INSULA_FUZZ_SEED", 1)?)));
    let (seconds, seed) = match wishes {
        Ok(wishes) => wishes,
        Err(sentence) => {
            eprintln!("fuzz: {sentence}");
            return 64.into();
        }
    };
    let environment = match Environment::find_or_make() {
        Ok(environment) => environment,
        Err(sentence) => {
            eprintln!("fuzz: {sentence}");
            return 69.into();
        }
    };
    match fuzz(&environment, Duration::from_secs(seconds), seed).await {
        Ok(findings) if findings.is_empty() => 0.into(),
        Ok(findings) => {
            findings.iter().for_each(|finding| console::line(finding));
            1.into()
        }
        Err(sentence) => {
            eprintln!("fuzz: {sentence}");
            69.into()
        }
    }
}

fn number(name: &str, usual: u64) -> Result<u64, String> {
    let text = setting(name);
    text.map_or(Ok(usual), |text| text.parse().map_err(|_| format!("{name} is a number, not {text:?}")))
}

/// Returns the findings; the error says what could not be started.
async fn fuzz(environment: &Environment, time: Duration, seed: u64) -> Result<Vec<String>, String> {
    let builder = Server::builder().env("RUST_LOG", "error").env("INSULA_OPS_BIND", "127.0.0.1:0");
    // Sessions must not end because of many logins or slow clients.
    let builder = builder.env("INSULA_MAX_SESSIONS", "1000").env("INSULA_ACCESS_TOKEN_TTL", "7200");
    let (server, _) = builder.start_with_superuser().await;
    let ops = server.ops_client().await;
    console::title(&format!("Schemathesis for {} s, seed {seed}", time.as_secs()));
    let mut passes = Vec::new();
    for (name, superuser, phases) in PASSES {
        let report = environment.folder.join(format!("{name}.txt"));
        let file = File::create(&report).map_err(|error| format!("{}: {error}", report.display()))?;
        let mut command = environment.schemathesis();
        command.arg("run").arg(server.url("/api/v1/openapi.json")).arg("--no-color");
        command.args(["--max-time", &time.as_secs().to_string(), "--seed", &seed.to_string()]);
        command.args(["--phases", phases]);
        command.env("INSULA_FUZZ_URL", server.url("")).env("INSULA_FUZZ_PASS", name);
        match superuser {
            true => command.env("INSULA_FUZZ_SUPERUSER", Server::SUPERUSER),
            // The user would only get 403.
            false => command.args(["--exclude-path-regex", "/admin/"]),
        };
        passes.push((name, report, start(&mut command, &file)?));
    }
    let mut findings = Vec::new();
    let from = Instant::now();
    let (mut warm, mut is_done) = (None, false);
    while !is_done {
        tokio::time::sleep(Duration::from_secs(1)).await;
        is_done = passes.iter_mut().all(|(.., process)| process.ended().is_some());
        if warm.is_none() && from.elapsed() >= WARM.min(time / 2) {
            warm = Some(Measure::take(&server, &ops).await);
        }
        if from.elapsed() > time + TIMEOUT {
            findings.push(format!("schemathesis does not end: it still runs after {:?}", from.elapsed()));
            break;
        }
    }
    for (name, report, process) in &mut passes {
        let report = std::fs::read_to_string(report).unwrap_or_default();
        let is_sound = process.ended().is_some_and(|status| status.success());
        if is_sound {
            console::line(&format!("As {name}: nothing was found."));
        } else {
            findings.push(format!("As {name}:\n{report}"));
        }
    }
    let end = Measure::take(&server, &ops).await;
    findings.extend(judge(warm.as_ref(), &end));
    Ok(findings)
}

/// Starts a process that ends with this one.
fn start(command: &mut Command, report: &File) -> Result<Process, String> {
    let outputs = report.try_clone().and_then(|copy| Ok((copy, report.try_clone()?)));
    let (stdout, stderr) = outputs.map_err(|error| format!("a report: {error}"))?;
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    Process::start(command, "TERM").map_err(|error| format!("{}: {error}", Path::new("st").display()))
}

/// Prints the metrics and returns the findings in them.
fn judge(warm: Option<&Measure>, end: &Measure) -> Vec<String> {
    let mut findings = Vec::new();
    end.show();
    for (status, count) in end.statuses.range(500..).filter(|(status, _)| **status != 503) {
        findings.push(format!("{count} requests were answered with {status}"));
    }
    let strangers = end.statuses.get(&401).copied().unwrap_or_default();
    if strangers * STRANGERS > end.requests() {
        findings.push(format!("{strangers} requests were answered with 401: the callers were not signed in"));
    }
    let Some(warm) = warm else { return findings };
    let grown = end.memory.saturating_sub(warm.memory);
    let requests = end.requests().saturating_sub(warm.requests());
    console::line(&format!("{} MiB more than {requests} requests before.", grown >> 20));
    if grown > GROWTH {
        findings.push(format!("the memory of the server grew by {} MiB", grown >> 20));
    }
    if end.requests_of(2) == 0 {
        findings.push("no request was a success: nothing was tried".to_owned());
    }
    findings
}

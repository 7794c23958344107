//! `instructions [write]`: counts the instructions of requests that are hot, and compares them with `counts.txt`.
//!
//! The numbers are those of a debug build on SQLite, so they only say whether a request costs more than before. They include
//! the database. They hardly depend on the machine or on its load: valgrind counts them, and installs itself if it is missing.
//!
//! Exit code: 0 when all are as in the file, or when they were written; 1 when they are not or could not be counted; 64 when
//! the arguments are not valid.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments and failures")]

mod callgrind;

use std::{fs, path::PathBuf, process::ExitCode};

use insula_tests::{Client, InsulaProcess, Request, TestEnv, console, services};
use serde_json::json;

use self::callgrind::Callgrind;

/// Requests of each kind that are counted, and before that, those that fill the caches.
const REQUESTS: u64 = 10;
const WARM_UP: u64 = 8;

/// How far a count may be from that of the file, in percent.
const TOLERANCE: u64 = 10;

/// What is remembered does not expire, and nothing is refused because the server is slow under valgrind.
const SETTINGS: [(&str, &str); 5] = [
    ("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60"),
    ("INSULA_PASSWORD_MEMORY", "64"),
    ("INSULA_SESSION_CACHE_TTL", "3600"),
    ("INSULA_ACCESS_TOKEN_TTL", "7200"),
    ("INSULA_OPS_BIND", "127.0.0.1:0"),
];

/// A kind of request, and the request with a number.
type HotPath = (&'static str, fn(&Client, u64) -> Request);

const HOT_PATHS: [HotPath; 6] = [
    ("health", |client, _| client.get("/livez")),
    ("getMe", |client, _| client.get("/api/v1/users/me")),
    ("listProjects", |client, _| client.get("/api/v1/organizations/acme/projects?limit=20")),
    ("listTasks", |client, _| client.get("/api/v1/organizations/acme/tasks?limit=20")),
    ("createProject", |client, number| {
        let project = json!({ "code": format!("N{number}"), "name": "A new one" });
        client.post("/api/v1/organizations/acme/projects", project)
    }),
    ("createTask", |client, number| {
        client.post("/api/v1/organizations/acme/tasks", json!({ "title": format!("Task {number}") }))
    }),
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let writes = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["write"] => true,
        _ => {
            eprintln!("usage: instructions [write]");
            return 64.into();
        }
    };
    match run(writes).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("instructions: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(writes: bool) -> Result<(), String> {
    let env = TestEnv::on_sqlite();
    let token = fill(&env).await?;
    let server = Callgrind::start(&env, &settings()).await?;
    let client = Client::new(server.url()).bearer(&token);
    let mut counts = Vec::new();
    for (name, request) in HOT_PATHS {
        console::progress(&format!("counting the instructions of {name}"));
        for number in 0..WARM_UP {
            // The first ones can exceed a time limit, while valgrind translates the program.
            drop(request(&client, number).await);
        }
        server.reset()?;
        for number in WARM_UP..WARM_UP + REQUESTS {
            succeed(request(&client, number)).await?;
        }
        counts.push((name, server.instructions()? / REQUESTS / 1000));
    }
    if writes { write(&counts) } else { compare(&counts) }
}

fn settings() -> Vec<(String, String)> {
    SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Fills the database with a server that is not watched. Returns an access token.
async fn fill(env: &TestEnv) -> Result<String, String> {
    let port = services::free_port()?.to_string();
    let arguments = ["serve", "--port", &port];
    let mut server = InsulaProcess::new("fill", env, &arguments, &settings(), "Insula listens on");
    server.start().await?;
    let ada = Client::new(&format!("http://127.0.0.1:{port}")).register("ada@example.com").await;
    ada.create_organization("acme").await;
    let path = |list: &str| format!("/api/v1/organizations/acme/{list}");
    let tag = ada.post(&path("tags"), json!({ "name": "urgent" })).await.expect(201)["id"].take();
    for number in 0..25 {
        let project = json!({ "code": format!("P{number}"), "name": "A project" });
        ada.post(&path("projects"), project).await.expect(201);
        ada.post(&path("tasks"), json!({ "title": format!("T{number}"), "tags": [tag] })).await.expect(201);
    }
    server.kill();
    Ok(ada.token().to_owned())
}

async fn succeed(request: Request) -> Result<(), String> {
    let reply = request.await;
    match reply.status {
        200 | 201 => Ok(()),
        status => Err(format!("{status}: {}", reply.text())),
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions/counts.txt")
}

fn write(counts: &[(&str, u64)]) -> Result<(), String> {
    let mut text = String::from(
        "# Thousands of instructions of a request in a debug build, with SQLite. make instruction-counts writes this file.\n",
    );
    for (name, count) in counts {
        text += &format!("{name:<16} {count:>6}\n");
    }
    fs::write(file(), text).map_err(|error| error.to_string())
}

fn compare(counts: &[(&str, u64)]) -> Result<(), String> {
    let committed = fs::read_to_string(file()).map_err(|error| error.to_string())?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (name, count) in counts {
        let line = committed.lines().find_map(|line| line.strip_prefix(name));
        let expected: u64 = line.and_then(|line| line.trim().parse().ok()).unwrap_or_default();
        if count.abs_diff(expected) * 100 > expected * TOLERANCE {
            faults.push(format!("{name}: {count} thousand instructions instead of {expected}"));
        }
        rows.push(vec![(*name).to_owned(), count.to_string(), expected.to_string()]);
    }
    console::table(&["thousand instructions", "now", "in the file"], &rows);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(format!("run make instruction-counts if this is meant:\n{}", faults.join("\n"))),
    }
}

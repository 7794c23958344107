//! `floor PORT DATABASE_URL`: the least that a program must do for the answers that `bench requests` measures.
//!
//! It runs hyper and tokio-postgres, on the database that `bench` filled. Each answer takes at most one statement, the best
//! one that we know. It checks no tokens, no permissions and no limits, writes no log, and validates nothing. What it
//! creates has the same rows as in Insula: the audit event, the personal data of the event, and the position of a task.
//! `POST /argon2` only verifies a password, on as many threads as Insula uses.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments and failures")]
#![expect(
    clippy::disallowed_methods,
    reason = "the floor uses no code of Insula, and ends with the benchmark"
)]

mod connections;
mod create;
mod json;
mod read;
mod statements;

use std::{error::Error, net::Ipv4Addr, process::ExitCode, sync::Arc};

use argon2::{Algorithm, Argon2, Params, Version};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Semaphore};

use self::{connections::Database, read::Remembered};

/// An error with a text for the person who runs this.
type Failure = Box<dyn Error + Send + Sync>;

/// What all requests share.
struct Floor {
    database: Database,
    remembered: Remembered,
    /// The threads that verify passwords: one fewer than cores, as in Insula.
    hashing: Semaphore,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, url] = arguments.as_slice() else {
        eprintln!("usage: floor PORT DATABASE_URL");
        return 64.into();
    };
    match serve(port, url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(port: &str, url: &str) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let database = Database::connect(url).await?;
    let remembered = Remembered::load(&database).await?;
    let hashing = Semaphore::new(cores.saturating_sub(1).max(1));
    let floor = Arc::new(Floor { database, remembered, hashing });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let floor = Arc::clone(&floor);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&floor, request));
            // A client that disconnects is no failure.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

async fn answer(floor: &Floor, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => br#"{"status":"ok"}"#.to_vec(),
        (&Method::GET, "/users/me") => read::user(&floor.database, floor.remembered.session).await?,
        (&Method::GET, "/users/me/remembered") => {
            let token = request.headers().get(AUTHORIZATION).ok_or("no token")?;
            floor.remembered.user(&floor.database, token).await?
        }
        (&Method::GET, path) => read::page(&floor.database, &floor.remembered, path).await?,
        (_, "/argon2") => {
            verify(floor, request.into_body().collect().await?.to_bytes()).await?;
            b"{}".to_vec()
        }
        (_, _) => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let created = create::create(&floor.database, &floor.remembered, &parts.uri, &body).await?;
            return Ok(json_response(StatusCode::CREATED, created));
        }
    };
    Ok(json_response(StatusCode::OK, body))
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Verifies a password with Insula's parameters: 19 MiB, two passes.
async fn verify(floor: &Floor, password: Bytes) -> Result<(), Failure> {
    let permit = floor.hashing.acquire().await?;
    let hashed = tokio::task::spawn_blocking(move || {
        let params = Params::new(19_456, 2, 1, Some(32)).map_err(|error| error.to_string())?;
        let mut hash = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&password, b"sixteen bytes of", &mut hash)
            .map_err(|error| error.to_string())
    });
    hashed.await??;
    drop(permit);
    Ok(())
}

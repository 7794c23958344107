//! The cost of a job for its transaction: logins on a known device, and on a new device, which also
//! request an e-mail. Run `make bench` or `cargo bench --workspace --bench enqueue`. Also measures the database of
//! `INSULA_TEST_POSTGRES_URL`, which must be empty.

#![expect(clippy::print_stdout, reason = "the figures")]

use std::time::{Duration, Instant};

use insula_core::{
    base::{ids::UserId, permissions::AuditOrigin, text::EmailAddress},
    identity::{
        sessions::{self, LoginDevice, SessionPolicy},
        users::NewUser,
    },
    lifecycle::accounts,
    storage::db::{Db, Options},
};

/// Users. Each one logs in once in both ways.
const PEOPLE: usize = 500;

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: SessionPolicy =
    SessionPolicy { absolute: HOUR, idle: HOUR, grace: HOUR, step_up: HOUR, max_sessions: 50 };

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    println!("| a log-in's transaction, ms (medians of {PEOPLE}) | without a job | with one | ratio |");
    println!("| --- | --: | --: | --: |");
    let folder = tempfile::tempdir()?;
    compare("SQLite", &format!("sqlite://{}", folder.path().join("insula.db").display())).await?;
    #[expect(clippy::disallowed_methods, reason = "a bench is told by its environment where a PostgreSQL is")]
    let postgres = std::env::var("INSULA_TEST_POSTGRES_URL");
    match postgres {
        Ok(url) => compare("PostgreSQL, which waits for no disk", &url).await,
        Err(_) => Ok(()),
    }
}

async fn compare(name: &str, url: &str) -> Outcome {
    insula_migrations::up(url, None).await?;
    let db = Db::connect(url, &Options::default()).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for number in 0..PEOPLE {
        let user = register(&db, number).await?;
        log_in(&db, user, "known").await?;
        // In turns, so that neither is always the first.
        for agent in if number % 2 == 0 { ["known", "new"] } else { ["new", "known"] } {
            let took = log_in(&db, user, agent).await?;
            if agent == "new" { with.push(took) } else { without.push(took) }
        }
    }
    db.close().await;
    let (without, with) = (median(without), median(with));
    println!("| {name} | {without:.3} | {with:.3} | {:.2} |", with / without);
    Ok(())
}

async fn register(db: &Db, number: usize) -> Outcome<UserId> {
    let email = EmailAddress::parse(&format!("user{number}@example.com")).map_err(|_| "no address")?;
    let new = NewUser { email, username: None, first_name: None, last_name: None };
    let mut tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let user = accounts::register(&mut tx, new, "no hash".to_owned(), false, None).await?.id;
    tx.commit().await?;
    Ok(user)
}

/// From the beginning of the transaction until it is acknowledged.
async fn log_in(db: &Db, user: UserId, agent: &str) -> Outcome<Duration> {
    let device = LoginDevice { user_agent: Some(agent.to_owned()), ..LoginDevice::default() };
    let started = Instant::now();
    let mut tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    sessions::create(&mut tx, user, device, &POLICY).await?;
    tx.commit().await?;
    Ok(started.elapsed())
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

//! What an audit event costs the transaction that writes it, and how fast events are sealed and verified. `make bench`, or
//! `cargo bench --workspace --bench audit`; the database of `INSULA_TEST_POSTGRES_URL` is tried too, and has to be an empty
//! one.

#![expect(clippy::print_stdout, reason = "the figures")]

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use insula_core::{
    base::{
        crypto::MasterKey,
        permissions::{AuditOrigin, Authorized, ProjectsCreate, RequestInfo},
        text::{EmailAddress, Name, ProjectCode, Slug},
        trace_context::TraceContext,
    },
    identity::{
        sessions::{self, AccessTokens, LoginDevice, SessionPolicy},
        users::NewUser,
    },
    lifecycle::accounts,
    storage::{
        audit::{Action, EventDetails, RequestTrail},
        audit_chain::{self, Signer},
        db::{Db, Options},
        signing_keys::Schedule,
    },
    tenancy::{
        authorization::{self, Caller},
        organizations::{NewOrganization, OrgRef},
    },
    work::projects::{self, NewProject},
};
use serde_json::json;

/// Projects made in either way.
const PROJECTS: usize = 500;

/// Events that are sealed and verified.
const EVENTS: usize = 20_000;

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: SessionPolicy =
    SessionPolicy { absolute: HOUR, idle: HOUR, grace: HOUR, step_up: HOUR, max_sessions: 50 };

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    println!(
        "| medians of {PROJECTS}, rates of {EVENTS} events | to make a project, ms | with one more event | an event | \
         with / without its event | sealed/s | verified/s |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: |");
    let folder = tempfile::tempdir()?;
    measure("SQLite", &format!("sqlite://{}", folder.path().join("insula.db").display())).await?;
    #[expect(clippy::disallowed_methods, reason = "a bench is told by its environment where a PostgreSQL is")]
    let postgres = std::env::var("INSULA_TEST_POSTGRES_URL");
    match postgres {
        Ok(url) => measure("PostgreSQL, which waits for no disk", &url).await,
        Err(_) => Ok(()),
    }
}

async fn measure(name: &str, url: &str) -> Outcome {
    insula_migrations::up(url, None).await?;
    let db = Db::connect(url, &Options::default()).await?;
    let master = MasterKey::new("k".repeat(32));
    let caller = founder(&db, &master).await?;
    let (mut with_one, mut with_two) = (Vec::new(), Vec::new());
    for number in 0..2 * PROJECTS {
        let proof = authorize(&db, &caller).await?;
        // In turns, so that neither is always the first.
        let one_more = (number / 2 + number) % 2 == 0;
        let took = make(&db, proof, number, one_more).await?;
        if one_more { with_two.push(took) } else { with_one.push(took) }
    }
    let (with_one, with_two) = (median(with_one), median(with_two));
    let event = with_two - with_one;
    let (sealed, verified) = chain(&db, &master, &caller).await?;
    db.close().await;
    let ratio = with_one / (with_one - event);
    println!(
        "| {name} | {with_one:.3} | {with_two:.3} | {event:.3} | {ratio:.2} | {sealed:.0} | {verified:.0} |"
    );
    Ok(())
}

/// A logged-in user with an organization.
async fn founder(db: &Db, master: &MasterKey) -> Outcome<Caller> {
    let email = EmailAddress::parse("ada@example.com").map_err(|_| "no address")?;
    let new = NewUser { email, username: None, first_name: None, last_name: None };
    let mut tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let user = accounts::register(&mut tx, new, "no hash".to_owned(), false, None).await?.id;
    tx.commit().await?;
    let (Ok(name), Ok(slug)) = (Name::parse("Acme"), Slug::parse("acme")) else {
        return Err("no name".into());
    };
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    accounts::create_organization(&tx, user, NewOrganization { name, slug }).await?;
    tx.commit().await?;
    let mut tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let (session, _) = sessions::create(&mut tx, user, LoginDevice::default(), &POLICY).await?;
    let now = tx.now();
    tx.commit().await?;
    let schedule = Schedule { rotation: HOUR, lead: HOUR, retention: HOUR };
    insula_core::lifecycle::maintenance::advance_keys(db, master, &schedule).await?;
    let tokens = AccessTokens::new(db, master, "bench", HOUR);
    tokens.reload().await?;
    let claims =
        tokens.verify(&tokens.issue(user, (session.id, session.refresh_counter), now)?.token, now).await?;
    let inquiry = RequestInfo {
        request_id: Some("a request".to_owned()),
        trace: Some(TraceContext::random()),
        ip: Some("203.0.113.7".to_owned()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
    };
    Ok(Caller {
        claims,
        label: None,
        inquiry,
        operation: "bench",
        needs_verified: false,
        step_up: HOUR,
        platform_access: None,
        trail: RequestTrail::default(),
    })
}

async fn authorize(db: &Db, caller: &Caller) -> Outcome<Authorized<ProjectsCreate>> {
    Ok(authorization::authorize(db, caller, &OrgRef::parse("acme")).await?)
}

/// From the beginning of the transaction until it is acknowledged.
async fn make(
    db: &Db,
    proof: Authorized<ProjectsCreate>,
    number: usize,
    one_more: bool,
) -> Outcome<Duration> {
    let code = ProjectCode::parse(&format!("P{number}")).map_err(|_| "no code")?;
    let name = Name::parse("Analytical Engine").map_err(|_| "no name")?;
    let started = Instant::now();
    let tx = db.begin(proof).await?;
    let project = projects::create(
        &tx,
        NewProject { code, name, color: None, is_private: false, estimate_seconds: None },
    )
    .await?;
    if one_more {
        let facts = json!({ "code": project.code, "name": project.name, "color": project.color });
        tx.record(Action::ProjectCreated, project.id, EventDetails::created(facts)).await?;
    }
    tx.commit().await?;
    Ok(started.elapsed())
}

/// Seals all events; gives their number.
async fn flush(db: &Db, signer: &Signer) -> Outcome<u64> {
    let (mut unsealed, mut sealed) = (audit_chain::unsealed(db).await?, 0);
    while !unsealed.is_empty() {
        let mut flushed = audit_chain::flush(db, signer, &mut unsealed, &HashSet::new()).await?;
        if let Some((_, error)) = flushed.failed.pop() {
            return Err(error.into());
        }
        sealed += flushed.events;
    }
    Ok(sealed)
}

/// How many events a second are sealed, and how many verified.
async fn chain(db: &Db, master: &MasterKey, caller: &Caller) -> Outcome<(f64, f64)> {
    let signer = Signer::new(master.clone());
    flush(db, &signer).await?;
    let details =
        EventDetails::created(json!({ "code": "ENGINE", "name": "Analytical Engine", "color": null }));
    for from in (0..EVENTS).step_by(1_000) {
        let tx = db.begin(authorize(db, caller).await?).await?;
        tx.record_all(Action::ProjectCreated, from..from + 1_000, &details).await?;
        tx.commit().await?;
    }
    let started = Instant::now();
    let sealed = flush(db, &signer).await?;
    let sealing = started.elapsed();
    let proof = authorize(db, caller).await?;
    let started = Instant::now();
    let report = audit_chain::verify(db, &signer, &proof).await?;
    if report.broken.is_some() || sealed != EVENTS as u64 {
        return Err("the chain is broken".into());
    }
    Ok((rate(sealed, sealing), rate(report.events, started.elapsed())))
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn rate(events: u64, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

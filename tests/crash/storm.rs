//! Faults at random, under load; then everything is counted.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use insula_tests::{ClusterConfig, DatabaseKind, POLL_INTERVAL, TestCluster, TestRng, console};

use crate::{
    caller::Caller,
    fault::{Fault, Part},
    ledger::Ledger,
    load::Load,
    name, reckoning,
};

/// How long it may take until all is well again: PostgreSQL back -> an answer, Redis back -> a mail.
const ANSWER: Duration = Duration::from_secs(2);
const MAIL: Duration = Duration::from_secs(15);

/// How long a client waits for that.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One storm; what is wrong at its end.
pub(crate) async fn run(kind: DatabaseKind, seed: u64, number: u64) -> Result<Vec<String>, String> {
    console::title(&format!("storm on {}, INSULA_CRASH_SEED={seed}, {number} faults", name(kind)));
    let mut rng = TestRng::new(seed);
    let workers = match kind {
        DatabaseKind::Postgres => 1 + usize::from(seed.is_multiple_of(2)),
        // Beside the one inside the server.
        DatabaseKind::Sqlite => usize::from(seed.is_multiple_of(2)),
    };
    let cluster = TestCluster::start(ClusterConfig {
        workers,
        no_embedded_worker: kind == DatabaseKind::Postgres,
        ..ClusterConfig::on(kind)
    })
    .await?;
    cluster.start_workers().await?;
    let ledger = Arc::new(Ledger::default());
    let anybody = Caller::new(&cluster.url, &ledger)?;
    let (founder, _) = anybody.founder(&cluster.database().await, "founder@example.com").await?;
    let load = Load::start(&anybody, &founder, &ledger, seed);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut storm = Storm {
        cluster: &cluster,
        founder: &founder,
        counts: BTreeMap::new(),
        kills: 0,
        recoveries: Vec::new(),
    };
    let outcome = storm.rage(&mut rng, number).await;
    load.stop().await;
    let outcome = match outcome {
        Ok(()) => cluster.drain().await,
        Err(reason) => Err(reason),
    };
    let mut faults = match &outcome {
        Ok(drained) => {
            console::line(&format!("  drained in {:.1} s", drained.as_secs_f32()));
            reckoning::reckon(&cluster, &founder, &ledger.pages(), storm.kills).await
        }
        Err(reason) => vec![reason.clone()],
    };
    faults.extend(storm.report());
    if !faults.is_empty() {
        console::line(&cluster.logs().await);
    }
    Ok(faults)
}

struct Storm<'a> {
    cluster: &'a TestCluster,
    founder: &'a Caller,
    counts: BTreeMap<String, u64>,
    /// Those that may make mails come twice.
    kills: u64,
    /// What came back, how long it took until all was well, and how long it may.
    recoveries: Vec<(&'static str, Duration, Option<Duration>)>,
}

impl Storm<'_> {
    async fn rage(&mut self, rng: &mut TestRng, number: u64) -> Result<(), String> {
        let mut happened = 0;
        while happened < number {
            let fault = Fault::throw(rng, self.cluster);
            // Misfortunes seldom come singly.
            let second = (rng.below(4) == 0).then(|| Fault::throw(rng, self.cluster));
            for fault in [Some(fault), second].into_iter().flatten() {
                happened += 1;
                *self.counts.entry(fault.kind()).or_default() += 1;
                self.kills += u64::from(fault.excuses_duplicates(self.cluster.database_kind));
                console::progress(&format!("{happened}/{number} {fault:?}"));
            }
            match second {
                Some(second) => {
                    let (_, _) = tokio::try_join!(fault.happen(self.cluster), second.happen(self.cluster))?;
                }
                None => {
                    let whole = fault.happen(self.cluster).await?;
                    self.recover(fault, whole).await;
                }
            }
            self.cluster.restart_ended().await?;
            tokio::time::sleep(rng.duration_between(200, 1000)).await;
        }
        Ok(())
    }

    /// Waits until all is well after a fault that came alone.
    async fn recover(&mut self, fault: Fault, whole: Instant) {
        let Fault::Kill(part, _) = fault else { return };
        let deadline = whole + TIMEOUT;
        match part {
            Part::Postgres => {
                while !self.founder.is_served().await && Instant::now() < deadline {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                self.recoveries.push(("PostgreSQL back -> an answer", whole.elapsed(), Some(ANSWER)));
            }
            Part::Redis | Part::Worker(_) => {
                let mut fake_smtp = self.cluster.fake_smtp.lock().await;
                let before = fake_smtp.refresh().len();
                while fake_smtp.refresh().len() == before && Instant::now() < deadline {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                self.recoveries.push(match part {
                    Part::Redis => ("Redis back -> a mail", whole.elapsed(), Some(MAIL)),
                    _ => ("worker back -> a mail", whole.elapsed(), None),
                });
            }
            Part::Api => {}
        }
    }

    /// What took too long.
    fn report(&self) -> Vec<String> {
        let counts: Vec<_> = self.counts.iter().map(|(kind, n)| vec![kind.clone(), n.to_string()]).collect();
        console::table(&["faults", ""], &counts);
        let mut longest = BTreeMap::new();
        for (what, time, most) in &self.recoveries {
            let entry = longest.entry(*what).or_insert((*time, *most, 0_u64));
            *entry = (entry.0.max(*time), *most, entry.2 + 1);
        }
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f32());
        let rows: Vec<_> = longest
            .iter()
            .map(|(what, (time, most, times))| {
                let most = most.map_or("-".to_owned(), seconds);
                vec![(*what).to_owned(), times.to_string(), seconds(*time), most]
            })
            .collect();
        if !rows.is_empty() {
            console::table(&["recovery", "times", "longest", "at most"], &rows);
        }
        let late = longest.iter().filter(|(_, (time, most, _))| most.is_some_and(|most| *time > most));
        late.map(|(what, (time, ..))| format!("{what}: {}", seconds(*time))).collect()
    }
}

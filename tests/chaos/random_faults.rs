//! Random faults under load. At the end, everything is counted.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use insula_tests::{ClusterConfig, DatabaseKind, POLL_INTERVAL, TestCluster, TestRng, console};

use crate::{
    acknowledged::Acknowledged,
    client::ChaosClient,
    fault::{Fault, Target},
    load::Load,
    name, verify,
};

/// Longest recovery: from PostgreSQL back to an answer, from Redis back to an e-mail.
const ANSWER: Duration = Duration::from_secs(2);
const MAIL: Duration = Duration::from_secs(15);

/// How long a recovery is waited for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One run; returns what is wrong at its end.
pub(crate) async fn run(kind: DatabaseKind, seed: u64, number: u64) -> Result<Vec<String>, String> {
    console::title(&format!("random faults on {}, INSULA_CHAOS_SEED={seed}, {number} faults", name(kind)));
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
    let acknowledged = Arc::new(Acknowledged::default());
    let anonymous = ChaosClient::new(&cluster.url, &acknowledged)?;
    let (owner, _) = anonymous.owner(&cluster.database().await, "owner@example.com").await?;
    let load = Load::start(&anonymous, &owner, &acknowledged, seed);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut run = RandomFaults {
        cluster: &cluster,
        owner: &owner,
        counts: BTreeMap::new(),
        kills: 0,
        recoveries: Vec::new(),
    };
    let outcome = run.inject_all(&mut rng, number).await;
    load.stop().await;
    let outcome = match outcome {
        Ok(()) => cluster.drain().await,
        Err(reason) => Err(reason),
    };
    let mut faults = match &outcome {
        Ok(drained) => {
            console::line(&format!("  drained in {:.1} s", drained.as_secs_f32()));
            verify::verify(&cluster, &owner, &acknowledged.records(), run.kills).await
        }
        Err(reason) => vec![reason.clone()],
    };
    faults.extend(run.report());
    if !faults.is_empty() {
        console::line(&cluster.logs().await);
    }
    Ok(faults)
}

struct RandomFaults<'a> {
    cluster: &'a TestCluster,
    owner: &'a ChaosClient,
    counts: BTreeMap<String, u64>,
    /// Kills that may duplicate e-mails.
    kills: u64,
    /// What was restored, how long the recovery took, and its limit.
    recoveries: Vec<(&'static str, Duration, Option<Duration>)>,
}

impl RandomFaults<'_> {
    async fn inject_all(&mut self, rng: &mut TestRng, number: u64) -> Result<(), String> {
        let mut injected = 0;
        while injected < number {
            let fault = Fault::random(rng, self.cluster);
            // One fault in four comes with a second one.
            let second = (rng.below(4) == 0).then(|| Fault::random(rng, self.cluster));
            for fault in [Some(fault), second].into_iter().flatten() {
                injected += 1;
                *self.counts.entry(fault.kind()).or_default() += 1;
                self.kills += u64::from(fault.may_duplicate_mails(self.cluster.database_kind));
                console::progress(&format!("{injected}/{number} {fault:?}"));
            }
            match second {
                Some(second) => {
                    let (_, _) = tokio::try_join!(fault.inject(self.cluster), second.inject(self.cluster))?;
                }
                None => {
                    let restored_at = fault.inject(self.cluster).await?;
                    self.recover(fault, restored_at).await;
                }
            }
            self.cluster.restart_ended().await?;
            tokio::time::sleep(rng.duration_between(200, 1000)).await;
        }
        Ok(())
    }

    /// Waits for the recovery from a single fault.
    async fn recover(&mut self, fault: Fault, restored_at: Instant) {
        let Fault::Kill(target, _) = fault else { return };
        let deadline = restored_at + TIMEOUT;
        match target {
            Target::Postgres => {
                while !self.owner.can_read().await && Instant::now() < deadline {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                self.recoveries.push(("PostgreSQL back -> an answer", restored_at.elapsed(), Some(ANSWER)));
            }
            Target::Redis | Target::Worker(_) => {
                let mut fake_smtp = self.cluster.fake_smtp.lock().await;
                let before = fake_smtp.refresh().len();
                while fake_smtp.refresh().len() == before && Instant::now() < deadline {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                self.recoveries.push(match target {
                    Target::Redis => ("Redis back -> a mail", restored_at.elapsed(), Some(MAIL)),
                    _ => ("worker back -> a mail", restored_at.elapsed(), None),
                });
            }
            Target::Api => {}
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

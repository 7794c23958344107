//! Faults at random, under load; then everything is counted.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use insula_tests::{Database, Dice, LOOK, Plan, Stage, screen};

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
const PATIENCE: Duration = Duration::from_secs(60);

/// One storm; what is wrong at its end.
pub(crate) async fn run(database: Database, seed: u64, number: u64) -> Result<Vec<String>, String> {
    screen::title(&format!("storm on {}, INSULA_CRASH_SEED={seed}, {number} faults", name(database)));
    let mut dice = Dice::new(seed);
    let workers = match database {
        Database::Postgres => 1 + usize::from(seed.is_multiple_of(2)),
        // Beside the one inside the server.
        Database::Sqlite => usize::from(seed.is_multiple_of(2)),
    };
    let stage =
        Stage::start(Plan { workers, is_alone: database == Database::Postgres, ..Plan::on(database) })
            .await?;
    stage.start_workers().await?;
    let ledger = Arc::new(Ledger::default());
    let anybody = Caller::new(&stage.url, &ledger)?;
    let (founder, _) = anybody.founder(&stage.vault().await, "founder@example.com").await?;
    let load = Load::start(&anybody, &founder, &ledger, seed);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut storm =
        Storm { stage: &stage, founder: &founder, counts: BTreeMap::new(), kills: 0, recoveries: Vec::new() };
    let outcome = storm.rage(&mut dice, number).await;
    load.stop().await;
    let outcome = match outcome {
        Ok(()) => stage.drain().await,
        Err(reason) => Err(reason),
    };
    let mut faults = match &outcome {
        Ok(drained) => {
            screen::line(&format!("  drained in {:.1} s", drained.as_secs_f32()));
            reckoning::reckon(&stage, &founder, &ledger.pages(), storm.kills).await
        }
        Err(reason) => vec![reason.clone()],
    };
    faults.extend(storm.report());
    if !faults.is_empty() {
        screen::line(&stage.logs().await);
    }
    Ok(faults)
}

struct Storm<'a> {
    stage: &'a Stage,
    founder: &'a Caller,
    counts: BTreeMap<String, u64>,
    /// Those that may make mails come twice.
    kills: u64,
    /// What came back, how long it took until all was well, and how long it may.
    recoveries: Vec<(&'static str, Duration, Option<Duration>)>,
}

impl Storm<'_> {
    async fn rage(&mut self, dice: &mut Dice, number: u64) -> Result<(), String> {
        let mut happened = 0;
        while happened < number {
            let fault = Fault::throw(dice, self.stage);
            // Misfortunes seldom come singly.
            let second = (dice.throw(4) == 0).then(|| Fault::throw(dice, self.stage));
            for fault in [Some(fault), second].into_iter().flatten() {
                happened += 1;
                *self.counts.entry(fault.kind()).or_default() += 1;
                self.kills += u64::from(fault.excuses_duplicates(self.stage.database));
                screen::passing(&format!("{happened}/{number} {fault:?}"));
            }
            match second {
                Some(second) => drop(tokio::try_join!(fault.happen(self.stage), second.happen(self.stage))?),
                None => {
                    let whole = fault.happen(self.stage).await?;
                    self.recover(fault, whole).await;
                }
            }
            self.stage.tend().await?;
            tokio::time::sleep(dice.between(200, 1000)).await;
        }
        Ok(())
    }

    /// Waits until all is well after a fault that came alone.
    async fn recover(&mut self, fault: Fault, whole: Instant) {
        let Fault::Kill(part, _) = fault else { return };
        let deadline = whole + PATIENCE;
        match part {
            Part::Postgres => {
                while !self.founder.is_served().await && Instant::now() < deadline {
                    tokio::time::sleep(LOOK).await;
                }
                self.recoveries.push(("PostgreSQL back -> an answer", whole.elapsed(), Some(ANSWER)));
            }
            Part::Redis | Part::Worker(_) => {
                let mut deliveries = self.stage.deliveries.lock().await;
                let before = deliveries.look().len();
                while deliveries.look().len() == before && Instant::now() < deadline {
                    tokio::time::sleep(LOOK).await;
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
        screen::table(&["faults", ""], &counts);
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
            screen::table(&["recovery", "times", "longest", "at most"], &rows);
        }
        let late = longest.iter().filter(|(_, (time, most, _))| most.is_some_and(|most| *time > most));
        late.map(|(what, (time, ..))| format!("{what}: {}", seconds(*time))).collect()
    }
}

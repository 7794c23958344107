//! A hundred thousand random entries: the report of the program and an independent computation agree.
//!
//! The independent computation repeats the rules of these time zones in these years.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use insula_tests::{
    Client, OrgWithOwner, PASSWORD, Server, TestRng,
    fixtures::time_entries::{TaskFixture, TimeEntryFixture, new_id, seconds},
    setting,
};
use serde_json::{Value, json};

use super::{HOUR, RecordedOrg, report};

const ENTRIES: usize = 100_000;
const DAY: i64 = 24 * HOUR;

const ZONES: [&str; 4] = ["UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York"];
const LEVELS: [&str; 7] = ["day", "week", "month", "member", "project", "task", "tag"];
const WEEK_STARTS: [&str; 3] = ["monday", "saturday", "sunday"];

/// Seconds that the clocks of a zone are before UTC.
fn offset(zone: &str, instant: i64) -> i64 {
    let year = DateTime::<Utc>::from_timestamp(instant, 0).unwrap().year();
    let sunday = |month, last: u32| {
        // The Sunday on that day or before it.
        let day = NaiveDate::from_ymd_opt(year, month, last).unwrap();
        let day = day - Days::new(u64::from(day.weekday().num_days_from_sunday()));
        day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp()
    };
    let summer = |from: i64, until: i64| if (from..until).contains(&instant) { HOUR } else { 0 };
    match zone {
        "Asia/Kolkata" => 5 * HOUR + HOUR / 2,
        "Europe/Berlin" => HOUR + summer(sunday(3, 31) + HOUR, sunday(10, 31) + HOUR),
        "America/New_York" => -5 * HOUR + summer(sunday(3, 14) + 7 * HOUR, sunday(11, 7) + 6 * HOUR),
        _ => 0,
    }
}

/// The parts of a stretch, one for each day of the zone: the day, counted from 1970, and its seconds.
fn days(zone: &str, from: i64, until: i64) -> Vec<(i64, i64)> {
    let (mut parts, mut at) = (Vec::new(), from);
    loop {
        let day = (at + offset(zone, at)).div_euclid(DAY);
        // No clock is changed at midnight here.
        let guess = (day + 1) * DAY - offset(zone, at);
        let end = ((day + 1) * DAY - offset(zone, guess)).min(until);
        parts.push((day, end - at));
        at = end;
        if at >= until {
            return parts;
        }
    }
}

struct Query {
    from: i64,
    until: i64,
    zone: &'static str,
    week_start: &'static str,
    levels: Vec<&'static str>,
    member: Option<String>,
    project: Option<String>,
    task: Option<String>,
    tag: Option<String>,
    billable: Option<bool>,
}

/// The entries that a member sees.
type Sight<'a> = Box<dyn Fn(&TimeEntryFixture) -> bool + 'a>;

type Sums = BTreeMap<Vec<Option<String>>, (i64, i64)>;

impl Query {
    fn random(rng: &mut TestRng, world: &World) -> Self {
        let first = seconds("2025-01-01T00:00:00Z");
        let from = first + i64::try_from(rng.below(600 * 86400)).unwrap();
        let length = 1 + i64::try_from(rng.below(370 * 86400)).unwrap();
        let mut levels = LEVELS.to_vec();
        rng.shuffle(&mut levels);
        levels.truncate(usize::try_from(rng.below(9).min(2)).unwrap());
        let mut one = |all: &[String]| {
            let id = all[usize::try_from(rng.below(all.len() as u64)).unwrap()].clone();
            (rng.below(5) == 0).then_some(id)
        };
        let (member, project) = (one(&world.members), one(&world.projects));
        let (task, tag) = (one(&world.tasks), one(&world.tags));
        Self {
            from,
            until: from + length,
            zone: rng.choose(&ZONES),
            week_start: rng.choose(&WEEK_STARTS),
            levels,
            member,
            project,
            task,
            tag,
            billable: [None, None, Some(true), Some(false)][usize::try_from(rng.below(4)).unwrap()],
        }
    }

    fn text(&self) -> String {
        let instant = |at| DateTime::<Utc>::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ");
        let mut text = format!(
            "from={}&to={}&timezone={}&week_start={}",
            instant(self.from),
            instant(self.until),
            self.zone,
            self.week_start
        );
        let levels = self.levels.join(",");
        for (name, value) in [
            ("group_by", Some(&levels).filter(|levels| !levels.is_empty())),
            ("member_id", self.member.as_ref()),
            ("project_id", self.project.as_ref()),
            ("task_id", self.task.as_ref()),
            ("tag", self.tag.as_ref()),
            ("billable", self.billable.map(|billable| billable.to_string()).as_ref()),
        ] {
            if let Some(value) = value {
                text += &format!("&{name}={value}");
            }
        }
        text
    }

    fn wants(&self, entry: &TimeEntryFixture) -> bool {
        let fits = |wish: &Option<String>, has: Option<&String>| wish.is_none() || wish.as_ref() == has;
        !entry.is_deleted
            && entry.started < self.until
            && entry.ended.is_some_and(|ended| ended > self.from)
            && fits(&self.member, Some(&entry.member))
            && fits(&self.project, entry.project.as_ref())
            && fits(&self.task, entry.task.as_ref())
            && self.tag.as_ref().is_none_or(|tag| entry.tags.contains(tag))
            && self.billable.is_none_or(|billable| entry.billable == billable)
    }

    /// The keys of an entry's part on a day.
    fn keys(&self, level: &str, entry: &TimeEntryFixture, day: i64) -> Vec<Option<String>> {
        let date = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + Days::new(u64::try_from(day).unwrap());
        match level {
            "day" => vec![Some(date.to_string())],
            "week" => {
                let since = match self.week_start {
                    "monday" => date.weekday().num_days_from_monday(),
                    "saturday" => (date.weekday().num_days_from_sunday() + 1) % 7,
                    _ => date.weekday().num_days_from_sunday(),
                };
                vec![Some((date - Days::new(since.into())).to_string())]
            }
            "month" => vec![Some(date.format("%Y-%m").to_string())],
            "member" => vec![Some(entry.member.clone())],
            "project" => vec![entry.project.clone()],
            "task" => vec![entry.task.clone()],
            _ if entry.tags.is_empty() => vec![None],
            _ => entry.tags.iter().cloned().map(Some).collect(),
        }
    }

    /// What the entries come to, by the keys of each group.
    fn by_hand<'a>(&self, entries: impl Iterator<Item = &'a TimeEntryFixture>) -> Sums {
        let mut sums = Sums::from([(vec![], (0, 0))]);
        for entry in entries.filter(|entry| self.wants(entry)) {
            let (from, until) = (entry.started.max(self.from), entry.ended.unwrap().min(self.until));
            let mut met = BTreeSet::new();
            for (day, seconds) in days(self.zone, from, until) {
                let mut groups = vec![vec![]];
                let mut depth: Vec<Vec<Option<String>>> = vec![vec![]];
                for level in &self.levels {
                    let keys = self.keys(level, entry, day);
                    depth = depth
                        .iter()
                        .flat_map(|outer| {
                            keys.iter().map(move |key| [&outer[..], std::slice::from_ref(key)].concat())
                        })
                        .collect();
                    groups.extend(depth.iter().cloned());
                }
                for group in groups {
                    let sum = sums.entry(group.clone()).or_default();
                    sum.0 += seconds;
                    sum.1 += i64::from(met.insert(group));
                }
            }
        }
        sums
    }
}

/// What a report says, in the same form.
fn sums_of(report: &Value) -> Sums {
    let key = |group: &Value| group["key"].as_str().map(str::to_owned);
    let sum = |group: &Value| (group["seconds"].as_i64().unwrap(), group["entries"].as_i64().unwrap());
    let whole = (report["total_seconds"].as_i64().unwrap(), report["entries"].as_i64().unwrap());
    let mut sums = Sums::from([(vec![], whole)]);
    for group in report["groups"].as_array().unwrap() {
        assert_eq!(sums.insert(vec![key(group)], sum(group)), None, "{group}");
        for inner in group["groups"].as_array().into_iter().flatten() {
            assert_eq!(sums.insert(vec![key(group), key(inner)], sum(inner)), None, "{inner}");
        }
    }
    sums
}

/// The members and objects that entries can reference.
struct World {
    members: Vec<String>,
    projects: Vec<String>,
    tasks: Vec<String>,
    tags: Vec<String>,
}

impl World {
    fn entry(&self, rng: &mut TestRng) -> TimeEntryFixture {
        let (members, projects) = (&self.members, &self.projects);
        let mut below = |sides: usize| usize::try_from(rng.below(sides as u64)).unwrap();
        let member = members[below(members.len())].clone();
        let project = projects.get(below(projects.len() + 1)).cloned();
        // Tasks take turns on the projects.
        let task = project.as_ref().and_then(|_| self.tasks.get(below(self.tasks.len() * 2)).cloned());
        let tags = (0..below(4).saturating_sub(1)).map(|_| self.tags[below(self.tags.len())].clone());
        let tags: BTreeSet<_> = tags.collect();
        let longest = [60, 4 * 3600, 10 * 3600, 30 * 86_400][below(20).saturating_sub(16)];
        let started = seconds("2024-12-01T00:00:00Z") + i64::try_from(below(700 * 86_400)).unwrap();
        // Mostly between two full quarters of an hour, as users write it down.
        let started = if below(3) > 0 { started - started % 900 } else { started };
        let length = 1 + i64::try_from(below(longest)).unwrap();
        TimeEntryFixture {
            id: new_id(),
            member,
            project,
            task,
            started,
            ended: Some(started + length),
            billable: below(2) == 0,
            is_deleted: below(20) == 0,
            tags: tags.into_iter().collect(),
            ..TimeEntryFixture::default()
        }
    }
}

#[tokio::test]
async fn reports_equal_what_is_summed_up_by_hand() {
    let seed = setting("INSULA_REPORT_SEED").map_or(20_261_128, |seed| seed.parse().unwrap());
    println!("INSULA_REPORT_SEED={seed}");
    let mut rng = TestRng::new(seed);
    // A machine that does much else takes long to sum up a hundred thousand entries.
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let acme = RecordedOrg::of(OrgWithOwner::on(server).await).await;
    let (_, bobs) = acme.join("bob", "member").await;
    let (_, eves) = acme.join("eve", "member").await;
    let role = json!({ "name": "Auditor", "permissions": ["reports:read", "time_entries:read_all"] });
    acme.ada.post(&format!("{}/roles", super::ACME), role).await.expect(201);
    acme.database.set_only_role(&acme.slug, &acme.email("eve"), "auditor").await;
    let mut world = World {
        members: vec![acme.member.clone(), bobs.clone(), eves.clone()],
        projects: vec![],
        tasks: (0..8).map(|_| new_id()).collect(),
        tags: vec![],
    };
    for code in ["A", "B", "C", "D", "E", "PRIVATE"] {
        world.projects.push(acme.create_project(code, &format!("Project {code}")).await);
        world.tags.push(acme.database.insert_tag(&acme.slug, &format!("tag {code}")).await);
    }
    let hide = "UPDATE projects SET is_private = true WHERE code = 'PRIVATE'";
    assert_eq!(acme.database.execute(hide).await, 1);
    let jobs: Vec<_> = world.tasks.iter().zip(world.projects.iter().cycle()).collect();
    let job = |(task, project): &(&String, &String)| TaskFixture {
        id: (*task).clone(),
        project: Some((*project).clone()),
        title: "Task".to_owned(),
        ..TaskFixture::default()
    };
    acme.database.insert_tasks(&acme.slug, &jobs.iter().map(job).collect::<Vec<_>>()).await;
    let entries: Vec<_> = (0..ENTRIES).map(|_| world.entry(&mut rng)).collect();
    acme.insert_job(&entries).await;
    // As the database does by itself, in time.
    acme.database.execute("ANALYZE").await;
    // On connections of their own: the server has closed those that were idle for so long.
    let log_in = async |name: &str| acme.client().log_in(&acme.email(name), PASSWORD).await;
    let (ada, bob, eve) = (log_in("ada").await, log_in("bob").await, log_in("eve").await);

    let secret = world.projects.last();
    let callers: [(&Client, Sight<'_>); 3] = [
        (&ada, Box::new(|_| true)),
        (&bob, Box::new(|entry| entry.member == bobs)),
        (&eve, Box::new(|entry| entry.member == eves || entry.project.as_ref() != secret)),
    ];
    let mut met = 0;
    for number in 0..30 {
        let mut query = Query::random(&mut rng, &world);
        if number < 2 {
            // The most pieces that there can be, of everything.
            query =
                Query { until: query.from + 390 * DAY, levels: vec![["day", "tag"][number], "day"], ..query };
            query.levels.dedup();
            (query.member, query.project, query.task, query.tag, query.billable) = Default::default();
        }
        let (caller, sees) = &callers[number % 3];
        let expected = query.by_hand(entries.iter().filter(|entry| sees(entry)));
        let answer = sums_of(&report(caller, &query.text()).await);
        met += expected[&vec![]].1;
        assert_eq!(answer, expected, "seed {seed}, caller {}: {}", number % 3, query.text());
    }
    assert!(met > 100_000, "the queries met {met} entries");
}

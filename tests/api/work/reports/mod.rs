//! Reports of time entries.

mod calendar;
mod random;
mod visibility;

use insula_tests::{
    Client,
    fixtures::time_entries::{TimeEntryFixture, new_id, seconds},
};
use serde_json::{Value, json};

use super::recorded_org::RecordedOrg;

const ACME: &str = "/api/v1/organizations/{org}";

impl RecordedOrg {
    /// Hers, from one instant to another.
    fn work(&self, from: &str, to: &str) -> TimeEntryFixture {
        let (started, ended) = (seconds(from), Some(seconds(to)));
        TimeEntryFixture {
            id: new_id(),
            member: self.member.clone(),
            started,
            ended,
            ..TimeEntryFixture::default()
        }
    }

    async fn insert_job(&self, entries: &[TimeEntryFixture]) {
        self.database.insert_time_entries(&self.slug, entries).await;
    }

    async fn report(&self, query: &str) -> Value {
        report(&self.ada, query).await
    }

    async fn lines(&self, query: &str) -> Vec<String> {
        lines(&self.report(query).await)
    }
}

async fn report(caller: &Client, query: &str) -> Value {
    caller.get(&format!("{ACME}/reports/summary?{query}")).await.expect(200)
}

/// `<label> <seconds> <entries>` of the whole, and of each group and of each in it, in their order; `-` for no label.
fn lines(report: &Value) -> Vec<String> {
    let mut lines = vec![format!("all {} {}", report["total_seconds"], report["entries"])];
    let label = |group: &Value| group["label"].as_str().unwrap_or("-").to_owned();
    for group in report["groups"].as_array().unwrap() {
        lines.push(format!("{} {} {}", label(group), group["seconds"], group["entries"]));
        for inner in group["groups"].as_array().into_iter().flatten() {
            lines.push(format!(
                "{} / {} {} {}",
                label(group),
                label(inner),
                inner["seconds"],
                inner["entries"]
            ));
        }
    }
    lines
}

const HOUR: i64 = 3600;

#[tokio::test]
async fn two_levels_are_groups_in_groups_in_either_order() {
    let acme = RecordedOrg::start().await;
    let (engine, difference) = (
        acme.create_project("ENGINE", "Project ENGINE").await,
        acme.create_project("DIFFERENCE", "Project DIFFERENCE").await,
    );
    let on = |project: &String, worked: TimeEntryFixture| TimeEntryFixture {
        project: Some(project.clone()),
        ..worked
    };
    acme.insert_job(&[
        on(&engine, acme.work("2026-03-02T22:00:00Z", "2026-03-03T01:00:00Z")),
        on(&difference, acme.work("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z")),
        acme.work("2026-03-03T10:00:00Z", "2026-03-03T10:30:00Z"),
    ])
    .await;
    let range = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&timezone=UTC&week_start=monday";
    let report_body = acme.report(&format!("{range}&group_by=day,project")).await;
    assert_eq!(
        lines(&report_body),
        [
            "all 16200 3",
            "2026-03-02 10800 2",
            "2026-03-02 / Project ENGINE 7200 1",
            "2026-03-02 / Project DIFFERENCE 3600 1",
            "2026-03-03 5400 2",
            "2026-03-03 / Project ENGINE 3600 1",
            "2026-03-03 / - 1800 1",
        ]
    );
    assert_eq!(report_body["groups"][0]["key"], "2026-03-02");
    assert_eq!(report_body["groups"][0]["groups"][0]["key"], engine);
    assert_eq!(report_body["groups"][1]["groups"][1]["key"], Value::Null);
    for (member, value) in [
        ("from", "2026-03-01T00:00:00Z"),
        ("to", "2026-04-01T00:00:00Z"),
        ("timezone", "UTC"),
        ("week_start", "monday"),
    ] {
        assert_eq!(report_body[member], value);
    }
    assert_eq!(
        acme.lines(&format!("{range}&group_by=project,day")).await,
        [
            "all 16200 3",
            "Project ENGINE 10800 1",
            "Project ENGINE / 2026-03-02 7200 1",
            "Project ENGINE / 2026-03-03 3600 1",
            "Project DIFFERENCE 3600 1",
            "Project DIFFERENCE / 2026-03-02 3600 1",
            "- 1800 1",
            "- / 2026-03-03 1800 1",
        ]
    );
    // Two levels of time: the entry that crosses a day is in one week and in one month.
    assert_eq!(
        acme.lines(&format!("{range}&group_by=week,day")).await,
        [
            "all 16200 3",
            "2026-03-02 16200 3",
            "2026-03-02 / 2026-03-02 10800 2",
            "2026-03-02 / 2026-03-03 5400 2"
        ]
    );
    assert_eq!(
        acme.lines(&format!("{range}&group_by=day,month")).await[..3],
        ["all 16200 3", "2026-03-02 10800 2", "2026-03-02 / 2026-03 10800 2"]
    );
    let none = acme.report(range).await;
    assert_eq!((lines(&none), &none["groups"]), (vec!["all 16200 3".to_owned()], &json!([])));
}

#[tokio::test]
async fn an_entry_counts_in_the_group_of_each_tag_and_once_in_all() {
    let acme = RecordedOrg::start().await;
    let (dull, dear) = (
        acme.database.insert_tag(&acme.slug, "dull").await,
        acme.database.insert_tag(&acme.slug, "dear").await,
    );
    let tagged = |tags: &[&String], worked: TimeEntryFixture| TimeEntryFixture {
        tags: tags.iter().map(|&tag| tag.clone()).collect(),
        ..worked
    };
    acme.insert_job(&[
        tagged(&[&dull, &dear], acme.work("2026-03-02T08:00:00Z", "2026-03-02T10:00:00Z")),
        tagged(&[&dear], acme.work("2026-03-02T23:00:00Z", "2026-03-03T01:00:00Z")),
        acme.work("2026-03-02T12:00:00Z", "2026-03-02T12:00:10Z"),
    ])
    .await;
    let range = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&timezone=UTC";
    assert_eq!(
        acme.lines(&format!("{range}&group_by=tag")).await,
        ["all 14410 3", "dear 14400 2", "dull 7200 1", "- 10 1"]
    );
    assert_eq!(
        acme.lines(&format!("{range}&group_by=day,tag")).await,
        [
            "all 14410 3",
            "2026-03-02 10810 3",
            "2026-03-02 / dear 10800 2",
            "2026-03-02 / dull 7200 1",
            "2026-03-02 / - 10 1",
            "2026-03-03 3600 1",
            "2026-03-03 / dear 3600 1",
        ]
    );
    assert_eq!(
        acme.lines(&format!("{range}&group_by=tag&tag={dull}")).await,
        ["all 7200 1", "dear 7200 1", "dull 7200 1"]
    );
}

#[tokio::test]
async fn filters_take_away_what_is_not_wanted() {
    let acme = RecordedOrg::start().await;
    let (_, bob) = acme.join("bob", "member").await;
    let engine = acme.create_project("ENGINE", "Project ENGINE").await;
    let task = new_id();
    let job = insula_tests::fixtures::time_entries::TaskFixture {
        id: task.clone(),
        project: Some(engine.clone()),
        title: "Build".to_owned(),
        ..Default::default()
    };
    acme.database.insert_tasks(&acme.slug, &[job]).await;
    let hour = |number: i64, worked: TimeEntryFixture| {
        let started = seconds("2026-03-02T00:00:00Z") + number * 2 * HOUR;
        TimeEntryFixture { started, ended: Some(started + number + 1), ..worked }
    };
    let hers = || acme.work("2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z");
    acme.insert_job(&[
        hour(0, TimeEntryFixture { billable: true, ..hers() }),
        hour(1, TimeEntryFixture { member: bob.clone(), id: new_id(), ..hers() }),
        hour(2, TimeEntryFixture { project: Some(engine.clone()), ..hers() }),
        hour(4, TimeEntryFixture { project: Some(engine.clone()), task: Some(task.clone()), ..hers() }),
        hour(8, TimeEntryFixture { is_deleted: true, ..hers() }),
    ])
    .await;
    let range = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z";
    for (filter, report_body) in [
        (String::new(), "all 11 4"),
        ("&billable=true".to_owned(), "all 1 1"),
        ("&billable=false".to_owned(), "all 10 3"),
        (format!("&member_id={bob}"), "all 2 1"),
        (format!("&project_id={engine}"), "all 8 2"),
        (format!("&task_id={task}"), "all 5 1"),
        (format!("&task_id={task}&billable=true"), "all 0 0"),
        (format!("&project_id={bob}"), "all 0 0"),
        (format!("&tag={bob}"), "all 0 0"),
    ] {
        assert_eq!(acme.lines(&format!("{range}{filter}")).await, [report_body], "{filter}");
    }
    assert_eq!(
        acme.lines(&format!("{range}&group_by=task,member")).await,
        ["all 11 4", "- 6 3", "- / ada 4 2", "- / bob 2 1", "Build 5 1", "Build / ada 5 1"]
    );
}

#[tokio::test]
async fn invalid_parameters_are_refused_by_name() {
    let acme = RecordedOrg::start().await;
    let range = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z";
    for (query, faults) in [
        ("", vec!["from REQUIRED", "to REQUIRED"]),
        ("from=2026-03-01T00:00:00Z", vec!["to REQUIRED"]),
        ("from=yesterday&to=2026-04-01T00:00:00Z", vec!["from INVALID_FORMAT"]),
        ("from=2026-04-01T00:00:00Z&to=2026-04-01T00:00:00Z", vec!["to OUT_OF_RANGE"]),
        ("from=2026-04-01T00:00:00.1Z&to=2026-04-01T00:00:00.9Z", vec!["to OUT_OF_RANGE"]),
        (
            "from=2026-04-02T00:00:00Z&to=2026-04-01T00:00:00Z&group_by=day,day",
            vec!["group_by NOT_UNIQUE", "to OUT_OF_RANGE"],
        ),
        (&format!("{range}&group_by=year"), vec!["group_by INVALID_FORMAT"]),
        (&format!("{range}&group_by=day,"), vec!["group_by INVALID_FORMAT"]),
        (&format!("{range}&group_by=tag,tag"), vec!["group_by NOT_UNIQUE"]),
        (&format!("{range}&timezone=Mars/Olympus"), vec!["timezone UNKNOWN_TIMEZONE"]),
        (&format!("{range}&week_start=friday"), vec!["week_start NOT_A_CHOICE"]),
        (&format!("{range}&project_id=ENGINE"), vec!["project_id INVALID_FORMAT"]),
        (&format!("{range}&billable=perhaps"), vec!["billable WRONG_TYPE"]),
        (&format!("{range}&colour=red"), vec!["colour UNKNOWN_FIELD"]),
        (
            "from=2026-01-01T00:00:00Z&to=2027-02-06T00:00:00Z&group_by=day&timezone=UTC",
            vec!["group_by TOO_MANY_BUCKETS"],
        ),
        (
            "from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z&group_by=tag,month",
            vec!["group_by TOO_MANY_BUCKETS"],
        ),
        // 400 days, one of which is in two weeks of the zone it is cut in.
        (
            "from=2026-01-01T00:00:01Z&to=2027-02-05T00:00:01Z&group_by=week,day&timezone=UTC",
            vec!["group_by TOO_MANY_BUCKETS"],
        ),
    ] {
        let reply = acme.ada.get(&format!("{ACME}/reports/summary?{query}")).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults, "{query}");
    }
    let most = "from=2026-01-01T00:00:00Z&to=2027-02-05T00:00:00Z&group_by=week,day&timezone=UTC";
    assert_eq!(acme.lines(most).await, ["all 0 0"]);
}

//! The limits of days, weeks and months, and entries across them.

use insula_tests::fixtures::time_entries::TimeEntryFixture;
use serde_json::json;

use super::{ACME, HOUR, RecordedOrg, lines, report};

#[tokio::test]
async fn days_of_23_and_of_25_hours_sum_right() {
    let acme = RecordedOrg::start().await;
    acme.insert_job(&[
        acme.work("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
        acme.work("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
    ])
    .await;
    let berlin = "timezone=Europe/Berlin&group_by=day";
    assert_eq!(
        acme.lines(&format!("from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&{berlin}")).await,
        ["all 172800 1", "2026-03-28 39600 1", "2026-03-29 82800 1", "2026-03-30 50400 1"]
    );
    assert_eq!(
        acme.lines(&format!("from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z&{berlin}")).await,
        ["all 172800 1", "2026-10-24 36000 1", "2026-10-25 90000 1", "2026-10-26 46800 1"]
    );
}

#[tokio::test]
async fn a_day_without_a_midnight_begins_with_its_first_instant() {
    let acme = RecordedOrg::start().await;
    acme.insert_job(&[acme.work("2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z")]).await;
    let range = "from=2018-11-01T00:00:00Z&to=2018-12-01T00:00:00Z&group_by=day";
    assert_eq!(
        acme.lines(&format!("{range}&timezone=America/Sao_Paulo")).await,
        ["all 172800 1", "2018-11-03 54000 1", "2018-11-04 82800 1", "2018-11-05 36000 1"]
    );
}

#[tokio::test]
async fn weeks_begin_with_the_day_that_is_named_or_with_the_callers() {
    let acme = RecordedOrg::start().await;
    // A Friday to a Monday, one hour a day.
    let days = ["2026-03-06", "2026-03-07", "2026-03-08", "2026-03-09"];
    let hours = days.map(|day| acme.work(&format!("{day}T23:00:00Z"), &format!("{day}T23:10:00Z")));
    acme.insert_job(&hours).await;
    let range = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&group_by=week";
    for (start, weeks) in [
        ("monday", ["2026-03-02 1800 3", "2026-03-09 600 1"]),
        ("saturday", ["2026-02-28 600 1", "2026-03-07 1800 3"]),
        ("sunday", ["2026-03-01 1200 2", "2026-03-08 1200 2"]),
    ] {
        let report_body = acme.lines(&format!("{range}&timezone=UTC&week_start={start}")).await;
        assert_eq!(report_body[1..], weeks, "{start}");
    }
    let usual = acme.report(range).await;
    assert_eq!((&usual["timezone"], &usual["week_start"]), (&json!("UTC"), &json!("monday")));
    // In Tokyo it is the next day by then.
    let habits = json!({ "timezone": "Asia/Tokyo", "week_start": "sunday" });
    acme.ada.patch("/api/v1/users/me", habits).await.expect(200);
    let report_body = acme.report(range).await;
    assert_eq!(
        (&report_body["timezone"], &report_body["week_start"]),
        (&json!("Asia/Tokyo"), &json!("sunday"))
    );
    assert_eq!(lines(&report_body)[1..], ["2026-03-01 600 1", "2026-03-08 1800 3"]);
    let months = "from=2026-01-31T12:00:00Z&to=2026-04-01T00:00:00Z&group_by=month";
    assert_eq!(acme.lines(months).await, ["all 2400 4", "2026-03 2400 4"]);
}

#[tokio::test]
async fn only_the_part_between_from_and_to_counts_and_its_ends_are_half_open() {
    let acme = RecordedOrg::start().await;
    acme.insert_job(&[
        // Ends where the range begins, begins where it ends.
        acme.work("2026-03-01T22:00:00Z", "2026-03-02T00:00:00Z"),
        acme.work("2026-03-03T00:00:00Z", "2026-03-03T01:00:00Z"),
        // Across both ends, and across one each.
        acme.work("2026-02-20T00:00:00Z", "2026-03-20T00:00:00Z"),
        acme.work("2026-03-01T23:00:00Z", "2026-03-02T00:00:01Z"),
        acme.work("2026-03-02T23:59:59Z", "2026-03-03T05:00:00Z"),
        // No time at all, where a bucket begins.
        acme.work("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z"),
    ])
    .await;
    let range = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";
    assert_eq!(acme.lines(range).await, ["all 86402 4"]);
    // The first and the last day of the zone are cut, too.
    assert_eq!(
        acme.lines(&format!("{range}&group_by=day&timezone=Pacific/Auckland")).await,
        ["all 86402 4", "2026-03-02 39601 2", "2026-03-03 46801 3"]
    );
    // One of the longest that there are, from its last second.
    acme.insert_job(&[acme.work("2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z")]).await;
    let last = "from=2025-01-31T23:59:59Z&to=2025-03-01T00:00:00Z";
    assert_eq!(acme.lines(last).await, ["all 1 1"]);
}

#[tokio::test]
async fn what_runs_lasts_until_now() {
    let acme = RecordedOrg::start().await;
    let instant = |project: &serde_json::Value| {
        insula_tests::fixtures::time_entries::seconds(project["created_at"].as_str().unwrap())
    };
    let make = async |code: &str| {
        let draft = json!({ "code": code, "name": code });
        instant(&acme.ada.post(&format!("{ACME}/projects"), draft).await.expect(201))
    };
    let before = make("BEFORE").await;
    let runs = acme.work("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    acme.insert_job(&[TimeEntryFixture { started: before - 40 * HOUR, ended: None, ..runs }]).await;
    let range = "from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&group_by=member,project";
    let report_body = acme.report(range).await;
    let after = make("AFTER").await;
    let seconds = report_body["total_seconds"].as_i64().unwrap();
    assert!((0..=after - before).contains(&(seconds - 40 * HOUR)), "{seconds}");
    let group = &report_body["groups"][0];
    assert_eq!((&group["seconds"], &group["entries"]), (&json!(seconds), &json!(1)));
    // It has no part in what is still to come.
    assert_eq!(acme.lines("from=2099-01-01T00:00:00Z&to=2100-01-01T00:00:00Z").await, ["all 0 0"]);
    let nothing = report(&acme.ada, "from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z").await;
    assert_eq!(lines(&nothing), ["all 0 0"]);
}

//! Every export can be imported again, with any text in its cells and any state of its projects.

use std::collections::BTreeMap;

use insula_tests::{
    Client, OrgFixture, TestRng,
    fixtures::time_entries::{TaskFixture, TimeEntryFixture, new_id, seconds},
};
use serde_json::json;

use super::import;
use crate::work::exports::rows;

/// What is hard on files, and on those who open them.
const PIECES: [&str; 24] = [
    "=1+1", "+1", "-1", "@SUM(A1)", "'", "''=", "\"", "\"\"", ",", ";", r"\", r"\;", "\n", "\r\n", "\t", "a",
    "é", "日本", "🦉", " ", "sep=;", "null", "true", "|",
];

/// A text made by chance, as it is stored: trimmed.
fn text(rng: &mut TestRng, only: impl Fn(&str) -> bool) -> Option<String> {
    let pieces: Vec<_> = PIECES.into_iter().filter(|piece| only(piece)).collect();
    let text: String = (0..rng.below(7)).map(|_| rng.choose(&pieces)).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn in_one_line(piece: &str) -> bool {
    !piece.contains(char::is_control)
}

/// The organization with time on projects of every kind; 40 entries that ended and one that runs.
async fn worked() -> OrgFixture {
    let org = OrgFixture::start().await;
    let database = org.server.database().await;
    let (mut rng, mut projects) = (TestRng::new(35), vec![None]);
    for code in ["OPEN", "OLD", "GONE", "SECRET"] {
        projects.push(Some(org.create_project(code).await));
    }
    let task = |project: &Option<String>, title: &str| TaskFixture {
        id: new_id(),
        project: project.clone(),
        title: title.to_owned(),
        ..TaskFixture::default()
    };
    let tasks: Vec<_> = projects.iter().map(|project| task(project, "Oil it")).collect();
    database.insert_tasks(&org.slug, &tasks).await;
    let mut tags = Vec::new();
    for name in [r"a;b\", "'quoted", "=1+1", "comma, \"quote\"", "plain", "-", "日本"] {
        tags.push(database.insert_tag(&org.slug, name).await);
    }
    let members = [org.member(&org.owner).await, org.member(&org.mia).await, org.member(&org.max).await];
    let entry = |number: i64| {
        let place = usize::try_from(rng.below(projects.len() as u64)).unwrap();
        let started = seconds("2026-03-29T00:00:00Z") + number * 1500;
        TimeEntryFixture {
            id: new_id(),
            member: rng.choose(&[&members[0], &members[1], &members[2]]).clone(),
            project: projects[place].clone(),
            task: (rng.below(2) == 0).then(|| tasks[place].id.clone()),
            activity: text(&mut rng, in_one_line),
            notes: text(&mut rng, |_| true),
            started,
            ended: Some(started + rng.choose(&[0, 1, 1499, 86_400])),
            billable: rng.below(2) == 0,
            is_deleted: false,
            tags: tags.iter().filter(|_| rng.below(4) == 0).cloned().collect(),
        }
    };
    let mut entries: Vec<_> = (0..40).map(entry).collect();
    let runs = TimeEntryFixture { member: members[1].clone(), ended: None, ..entries[0].clone() };
    entries.push(TimeEntryFixture {
        id: new_id(),
        started: seconds("2026-04-30T00:00:00Z"),
        tags: vec![],
        ..runs
    });
    database.insert_time_entries(&org.slug, &entries).await;

    let [open, old, gone, secret] = &projects[1..] else { panic!("four projects") };
    let at = |project: &Option<String>| org.path(&format!("/projects/{}", project.as_ref().unwrap()));
    org.owner.request("POST", &format!("{}/archive", at(old))).await.expect(200);
    org.owner.delete(&at(gone)).await.expect(204);
    org.owner.patch(&at(secret), json!({ "is_private": true })).await.expect(200);
    let done = tasks.iter().find(|task| task.project == *open).unwrap();
    org.owner.delete(&org.path(&format!("/tasks/{}", done.id))).await.expect(204);
    org.owner.delete(&org.path(&format!("/members/{}", members[2]))).await.expect(204);
    org
}

/// How often each row is there that ended, but for its id.
fn counted(file: &str) -> BTreeMap<Vec<String>, usize> {
    let mut counted = BTreeMap::new();
    for row in rows(file).into_iter().skip(1).filter(|row| !row[9].is_empty()) {
        *counted.entry(row[1..].to_vec()).or_default() += 1;
    }
    counted
}

#[tokio::test]
async fn every_export_of_the_same_data_is_imported() {
    let org = worked().await;
    let export = async |query: &str| {
        let reply = org.owner.get(&org.path(&format!("/exports/time-entries.csv{query}"))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text().to_owned()
    };
    let before = export("").await;
    assert_eq!(counted(&before).values().sum::<usize>(), 40);
    let zone = "timezone=Europe%2FBerlin";
    for (round, query) in (1..).zip(["", "?bom=true", &format!("?{zone}"), &format!("?bom=true&{zone}")]) {
        let file = export(query).await;
        assert_eq!(file.starts_with('\u{feff}'), query.contains("bom"), "{query}");
        assert_eq!(file.contains("+01:00") && file.contains("+02:00"), query.contains("zone"), "{query}");
        let report = import(&org, &org.owner, "?dry_run=true", &file).await.expect(200);
        assert_eq!(report["errors"], json!([]), "{query}");
        let done = import(&org, &org.owner, "", &file).await.expect(200);
        let rows = done["rows"].as_u64().unwrap();
        assert_eq!(done["imported"].as_u64().unwrap(), rows - 1, "all but the one that runs: {query}");
        let after = counted(&export("").await);
        assert!(after.values().all(|count| *count == 1 << round), "{query}: {after:?}");
        assert_eq!(after.keys().collect::<Vec<_>>(), counted(&before).keys().collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test]
async fn own_time_comes_back_from_a_project_that_one_does_not_see_any_more() {
    let org = worked().await;
    let file = org.mia.get(&org.path("/exports/time-entries.csv")).await.text().to_owned();
    assert!(
        rows(&file).iter().any(|row| !row[3].is_empty() && row[4].is_empty()),
        "a project without its code"
    );
    let report = import(&org, &org.mia, "?dry_run=true", &file).await.expect(200);
    assert_eq!(report["errors"], json!([]));
}

/// What the rows may keep, they keep only as they are.
#[tokio::test]
async fn a_row_that_says_something_else_is_new_time() {
    let org = OrgFixture::start().await;
    let old = org.create_project("OLD").await;
    let span = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    let entry = org.create_time_entry(&org.mia, span, json!({ "project_id": old })).await;
    org.owner.request("POST", &org.path(&format!("/projects/{old}/archive"))).await.expect(200);
    let id = entry["id"].as_str().unwrap();
    let tried = async |who: &Client, row: String| {
        let file = format!("id,project_code,started_at,ended_at,notes\n{row}\n");
        super::tried(&org, who, &file).await
    };
    let none: [&str; 0] = [];
    assert_eq!(tried(&org.mia, format!("{id},OLD,{},{},other notes", span.0, span.1)).await, none);
    for row in [
        format!("{id},OLD,{},2026-03-02T10:00:00Z,", span.0),
        format!("{id},OLD,2026-03-02T07:00:00Z,{},", span.1),
        format!("{},OLD,{},{},", new_id(), span.0, span.1),
        format!(",OLD,{},{},", span.0, span.1),
    ] {
        assert_eq!(tried(&org.mia, row.clone()).await, ["1 project_id PROJECT_ARCHIVED"], "{row}");
    }
    // A member cannot re-import an entry of another member.
    let row = format!("{id},OLD,{},{},", span.0, span.1);
    assert_eq!(tried(&org.max, row).await, ["1 project_id PROJECT_ARCHIVED"]);
}

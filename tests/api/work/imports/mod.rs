//! `O/imports/time-entries`: all rows or none, with the errors of each row.

mod round_trip;
mod spreadsheets;

use insula_tests::{Client, OrgFixture, Reply, id};
use serde_json::{Value, json};

async fn import(org: &OrgFixture, who: &Client, query: &str, file: &str) -> Reply {
    let path = org.path(&format!("/imports/time-entries{query}"));
    who.request("POST", &path).body("text/csv", file).await
}

/// What a dry run finds, as `row field CODE`.
async fn tried(org: &OrgFixture, who: &Client, file: &str) -> Vec<String> {
    let body = import(org, who, "?dry_run=true", file).await.expect(200);
    assert_eq!(body["imported"], 0);
    let errors = body["errors"].as_array().unwrap().iter();
    let word = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    errors.map(|error| format!("{} {} {}", error["row"], word(error, "field"), word(error, "code"))).collect()
}

async fn entries(org: &OrgFixture) -> i64 {
    org.server
        .database()
        .await
        .scalar(&format!("SELECT count(*) FROM time_entries WHERE {}", org.own_rows()))
        .await
}

async fn tag(org: &OrgFixture, name: &str) -> String {
    id(&org.owner.post(&org.path("/tags"), json!({ "name": name })).await.expect(201))
}

#[tokio::test]
async fn rows_become_entries() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let (billed, odd) = (tag(&org, "Billed").await, tag(&org, "a;b").await);
    let file = "started_at,ended_at,project_code,activity,notes,billable,tags\n\
        2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,engine,Design,\"two\nlines, and '\",true,billed;a\\;b\n\
        2026-03-02T10:00:00+01:00,2026-03-02T11:00:00+01:00,,,'=1+1,,\n";
    let done = import(&org, &org.mia, "", file).await.expect(200);
    assert_eq!(done, json!({ "rows": 2, "imported": 2, "errors": [] }));
    let list = org.mia.get(&org.path("/time-entries?sort=started_at")).await.expect(200);
    let [first, second] = &list["data"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!(
        (&first["project_id"], &first["activity"], &first["notes"], &first["billable"], &first["source"]),
        (&json!(project), &json!("Design"), &json!("two\nlines, and '"), &json!(true), &json!("import"))
    );
    assert_eq!(first["tags"].as_array().unwrap().len(), 2);
    assert!([&billed, &odd].iter().all(|tag| first["tags"].as_array().unwrap().contains(&json!(tag))));
    assert_eq!((&second["started_at"], &second["notes"]), (&json!("2026-03-02T09:00:00Z"), &json!("=1+1")));
    assert_eq!(org.events("time_entry.imported").await.len(), 2);
}

#[tokio::test]
async fn one_bad_row_imports_nothing() {
    let org = OrgFixture::start().await;
    let file = "started_at,ended_at,project_code,tags\n\
        2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,,\n\
        2026-03-02T08:00:00Z,2026-03-02T07:00:00Z,NONE,Unheard of\n\
        yesterday,,,\n\
        2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,\n";
    let wrong = [
        "2 project_code UNKNOWN_PROJECT",
        "2 tags UNKNOWN_TAG",
        "2 ended_at ENDED_BEFORE_STARTED",
        "3 started_at INVALID_FORMAT",
        "3 ended_at REQUIRED",
        "4  WRONG_LENGTH",
    ];
    assert_eq!(tried(&org, &org.mia, file).await, wrong);
    let refused = import(&org, &org.mia, "", file).await;
    refused.problem(422, "VALIDATION_FAILED");
    assert_eq!(
        refused.faults(),
        [
            "rows[2].ended_at ENDED_BEFORE_STARTED",
            "rows[2].project_code UNKNOWN_PROJECT",
            "rows[2].tags UNKNOWN_TAG",
            "rows[3].ended_at REQUIRED",
            "rows[3].started_at INVALID_FORMAT",
            "rows[4]. WRONG_LENGTH",
        ]
    );
    assert_eq!(entries(&org).await, 0);
    // A sound file is none after a dry run, either.
    let sound = "started_at,ended_at\n2026-03-02T08:00:00Z,2026-03-02T09:00:00Z\n";
    assert!(tried(&org, &org.mia, sound).await.is_empty());
    assert_eq!(entries(&org).await, 0);
}

#[tokio::test]
async fn a_file_that_is_none_is_refused() {
    let org = OrgFixture::start().await;
    for (file, fault) in [
        ("", vec!["ended_at REQUIRED", "started_at REQUIRED"]),
        ("started_at\n", vec!["ended_at REQUIRED"]),
        ("started_at,ended_at,ended_at\n", vec!["ended_at DUPLICATE_COLUMN"]),
        ("started_at,ended_at,hours\n", vec!["hours UNKNOWN_COLUMN"]),
    ] {
        let reply = import(&org, &org.mia, "", file).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), fault, "{file:?}");
    }
    let many = format!("started_at,ended_at\n{}", "x,y\n".repeat(10_001));
    let reply = import(&org, &org.mia, "", &many).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), [" TOO_MANY"]);
    let path = org.path("/imports/time-entries");
    org.mia.post(&path, json!({})).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let latin = org.mia.request("POST", &path).body("text/csv", b"started_at,ended_at\n\xff,\n".to_vec());
    latin.await.problem(400, "BAD_REQUEST");
    let mia = org.mia.with("idempotency-key", "once");
    for who in [&org.mia, &mia, &mia] {
        let empty = import(&org, who, "", "started_at,ended_at\n").await.expect(200);
        assert_eq!(empty, json!({ "rows": 0, "imported": 0, "errors": [] }));
    }
}

/// A file of nothing but faults must not make an answer many times its size.
#[tokio::test]
async fn of_many_errors_the_first_are_reported() {
    let org = OrgFixture::start().await;
    let header = "started_at,ended_at,member_id,project_id,task_id,billable,tags\n";
    let sound = "2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,,,,,Unheard of\n";
    let file = format!("{header}{}{}", sound.repeat(20), "x,x,x,x,x,x,\n".repeat(9_000));
    let wrong = tried(&org, &org.mia, &file).await;
    let unheard = |row: usize| format!("{row} tags UNKNOWN_TAG");
    assert_eq!(wrong.len(), 50);
    assert!((1..=20).all(|row| wrong.contains(&unheard(row))), "{wrong:?}");
    assert_eq!(wrong[49].split(' ').next(), wrong[48].split(' ').next());
    let tried = import(&org, &org.mia, "?dry_run=true", &file).await;
    assert_eq!(tried.expect(200)["rows"], 9_020);
    assert!(tried.body.len() < 16 * 1024, "{}", tried.body.len());
    let refused = import(&org, &org.mia, "", &file).await;
    assert_eq!(refused.problem(422, "VALIDATION_FAILED")["errors"].as_array().map(Vec::len), Some(50));
    assert!(refused.body.len() < 16 * 1024, "{}", refused.body.len());
}

#[tokio::test]
async fn rows_of_others_need_the_right_to_change_their_time() {
    let org = OrgFixture::start().await;
    let mia = org.member(&org.mia).await;
    let file = format!(
        "member_email,member_id,started_at,ended_at\n\
         {},,2026-03-02T08:00:00Z,2026-03-02T09:00:00Z\n\
         ,{mia},2026-03-02T09:00:00Z,2026-03-02T10:00:00Z\n\
         nobody@example.com,,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z\n\
         ,,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z\n",
        org.email("MIA")
    );
    assert_eq!(tried(&org, &org.mia, &file).await, ["3 member_email UNKNOWN_MEMBER"]);
    assert_eq!(tried(&org, &org.admin, &file).await, ["3 member_email UNKNOWN_MEMBER"]);
    org.server.database().await.set_only_role(&org.slug, &org.email("victor"), "member").await;
    assert_eq!(
        tried(&org, &org.viewer, &file).await,
        [
            "1 member_email MANAGE_ALL_MISSING",
            "2 member_email MANAGE_ALL_MISSING",
            "3 member_email UNKNOWN_MEMBER"
        ]
    );
    let sound = file.replace("nobody@example.com", &org.email("adam"));
    assert_eq!(import(&org, &org.admin, "", &sound).await.expect(200)["imported"], 4);
    let of_mia = org.mia.get(&org.path("/time-entries")).await.expect(200);
    assert_eq!(of_mia["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn rows_follow_the_rules_of_the_organization() {
    let org = OrgFixture::start().await;
    let archived = org.create_project("OLD").await;
    org.owner.request("POST", &org.path(&format!("/projects/{archived}/archive"))).await.expect(200);
    org.create_time_entry(&org.mia, ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z"), json!({})).await;
    org.update_settings(json!({ "time_entry_overlap": "refuse", "time_entry_max_hours": 2 })).await;
    org.owner
        .put(&org.path("/period-lock"), json!({ "locked_until": "2026-03-01T00:00:00Z" }))
        .await
        .expect(200);
    let file = "started_at,ended_at,project_code\n\
        2026-02-28T08:00:00Z,2026-02-28T09:00:00Z,\n\
        2026-03-03T08:00:00Z,2026-03-03T11:00:00Z,\n\
        2026-03-04T08:00:00Z,2026-03-04T09:00:00Z,OLD\n\
        2026-03-02T08:30:00Z,2026-03-02T10:00:00Z,\n\
        2026-03-05T08:00:00Z,2026-03-05T10:00:00Z,\n\
        2026-03-05T09:00:00Z,2026-03-05T11:00:00Z,\n\
        2026-03-02T09:00:00Z,2026-03-02T09:00:00Z,\n";
    assert_eq!(
        tried(&org, &org.mia, file).await,
        [
            "1 started_at PERIOD_LOCKED",
            "2 ended_at ENTRY_TOO_LONG",
            "3 project_id PROJECT_ARCHIVED",
            "4 started_at TIME_ENTRY_OVERLAP",
            "6 started_at TIME_ENTRY_OVERLAP",
            "7 started_at TIME_ENTRY_OVERLAP",
        ]
    );
}

/// What was exported in one place is imported in another.
#[tokio::test]
async fn an_export_comes_back() {
    let org = OrgFixture::start().await;
    org.create_project("ENGINE").await;
    tag(&org, "a;b").await;
    let span = ("2026-03-02T08:00:00Z", "2026-03-02T09:30:00Z");
    let tags = org.owner.get(&org.path("/tags")).await.expect(200);
    let said = json!({ "project_code": "ENGINE", "activity": "=Design", "notes": "'quoted\nand more", "billable": true,
                       "tags": [tags["data"][0]["id"]] });
    org.create_time_entry(&org.mia, span, said).await;
    org.create_time_entry(&org.admin, ("2026-03-03T08:00:00Z", "2026-03-03T08:00:00Z"), json!({})).await;
    let export = || org.owner.get(&org.path("/exports/time-entries.csv"));
    let file = export().await.text().to_owned();
    assert_eq!(import(&org, &org.owner, "", &file).await.expect(200)["imported"], 2);
    let both = export().await.text().to_owned();
    // The same twice, but for the ids of the entries.
    let row = |line: &str| line.split_once(',').map(|(_, rest)| rest.to_owned());
    let lines = |file: &str| {
        let mut rows: Vec<_> = file.replace("\nand more", "<>").lines().skip(1).filter_map(row).collect();
        rows.sort();
        rows
    };
    let mut doubled = [lines(&file), lines(&file)].concat();
    doubled.sort();
    assert_eq!(lines(&both), doubled);
}

#[tokio::test]
async fn a_repeated_import_is_done_once() {
    let org = OrgFixture::start().await;
    let file = "started_at,ended_at\n2026-03-02T08:00:00Z,2026-03-02T09:00:00Z\n";
    let ask = |query: &str, file: &str| {
        let path = org.path(&format!("/imports/time-entries{query}"));
        org.mia.request("POST", &path).header("idempotency-key", "k").body("text/csv", file)
    };
    ask("?dry_run=true", file).await.expect(200);
    let first = ask("", file).await.expect(200);
    assert_eq!((&first["imported"], ask("", file).await.expect(200)), (&json!(1), first.clone()));
    assert_eq!(entries(&org).await, 1);
    ask("", &format!("{file}{}", "2026-03-02T08:00:00Z,2026-03-02T09:00:00Z\n"))
        .await
        .problem(422, "IDEMPOTENCY_MISMATCH");
}

/// More names than one statement of either database takes.
#[tokio::test]
async fn any_number_of_tag_names_is_looked_up() {
    let org = OrgFixture::start().await;
    let known = tag(&org, "tag 39999").await;
    let row = |from: usize, to: usize| {
        let names: Vec<_> = (from..to).map(|number| format!("tag {number}")).collect();
        format!("2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,{}\n", names.join(";"))
    };
    let rows: String = (0..40).map(|number| row(number * 1000, (number + 1) * 1000)).collect();
    let file = format!("started_at,ended_at,tags\n{rows}");
    let refused = import(&org, &org.mia, "", &file).await;
    refused.problem(422, "VALIDATION_FAILED");
    assert!(refused.faults().contains(&"rows[1].tags UNKNOWN_TAG".to_owned()));
    assert_eq!(entries(&org).await, 0);

    // The last of 40,000 is one that there is.
    let found = format!("{file}{}", row(39_999, 40_000));
    let tried = import(&org, &org.mia, "?dry_run=true", &found).await.expect(200);
    let faults = tried["errors"].as_array().unwrap();
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault["row"] != 41), "{known}");
}

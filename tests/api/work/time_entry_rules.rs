//! The rules for time entries: each invalid input has its own code and field; overlaps, also of concurrent requests.

use insula_tests::{Client, OrgFixture, concurrently, id, unique};
use serde_json::{Value, json};

const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";
const FROM: &str = "2026-03-02T08:00:00Z";
const TO: &str = "2026-03-02T09:00:00Z";

/// An instant so many seconds from now.
#[expect(clippy::disallowed_methods, reason = "the program's clock is the machine's, too")]
fn in_seconds(seconds: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339()
}

async fn refused(org: &OrgFixture, who: &Client, draft: Value) -> Vec<String> {
    let reply = who.post(&org.path("/time-entries"), draft).await;
    reply.problem(422, "VALIDATION_FAILED");
    reply.faults()
}

#[tokio::test]
async fn each_wrong_thing_has_its_own_code() {
    let org = OrgFixture::start().await;
    let own = |more: Value| {
        let mut draft = json!({ "started_at": FROM, "ended_at": TO });
        draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        draft
    };
    for (more, fault) in [
        (json!({ "ended_at": "2026-03-02T07:59:59Z" }), "ended_at ENDED_BEFORE_STARTED"),
        (json!({ "ended_at": "2026-03-03T08:00:01Z" }), "ended_at ENTRY_TOO_LONG"),
        (json!({ "ended_at": in_seconds(3600) , "started_at": in_seconds(-60) }), "ended_at IN_FUTURE"),
        (
            json!({ "started_at": "1969-12-31T23:00:00Z", "ended_at": "1969-12-31T23:30:00Z" }),
            "started_at OUT_OF_RANGE",
        ),
        (json!({ "project_id": NOTHING }), "project_id UNKNOWN_PROJECT"),
        (json!({ "project_code": "NONE" }), "project_code UNKNOWN_PROJECT"),
        (json!({ "project_code": "a b" }), "project_code INVALID_FORMAT"),
        (json!({ "project_code": "P", "project_id": NOTHING }), "project_code AMBIGUOUS"),
        (json!({ "task_id": NOTHING }), "task_id UNKNOWN_TASK"),
        (json!({ "tags": [NOTHING] }), "tags[0] UNKNOWN_TAG"),
        (json!({ "activity": " " }), "activity TOO_SHORT"),
        (json!({ "notes": "a\u{7}" }), "notes INVALID_FORMAT"),
        (json!({ "started_at": "yesterday" }), "started_at INVALID_FORMAT"),
        (json!({ "billable": "yes" }), "billable WRONG_TYPE"),
        (json!({ "hours": 3 }), "hours UNKNOWN_FIELD"),
    ] {
        assert_eq!(refused(&org, &org.mia, own(more)).await, [fault]);
    }
    assert_eq!(
        refused(&org, &org.admin, own(json!({ "member_id": NOTHING }))).await,
        ["member_id UNKNOWN_MEMBER"]
    );
    assert_eq!(refused(&org, &org.mia, json!({})).await, ["ended_at REQUIRED", "started_at REQUIRED"]);
    // All that is wrong at once.
    let bad = own(json!({ "project_id": NOTHING, "tags": [NOTHING], "ended_at": "2026-03-02T07:00:00Z" }));
    assert_eq!(
        refused(&org, &org.mia, bad).await,
        ["ended_at ENDED_BEFORE_STARTED", "project_id UNKNOWN_PROJECT", "tags[0] UNKNOWN_TAG"]
    );
    assert_eq!(
        org.server
            .database()
            .await
            .scalar(&format!("SELECT count(*) FROM time_entries WHERE {}", org.own_rows()))
            .await,
        0
    );
}

#[tokio::test]
async fn what_is_anothers_is_unknown() {
    let org = OrgFixture::start().await;
    let eve = org.stranger("eve").await;
    let evil = format!("/api/v1/organizations/{}", eve.create_organization(&unique("evil")).await.slug);
    let theirs = eve.post(&format!("{evil}/projects"), json!({ "code": "E", "name": "E" })).await;
    let theirs = id(&theirs.expect(201));
    let me = eve.get(&format!("{evil}/me/permissions")).await.expect(200);
    let draft =
        json!({ "started_at": FROM, "ended_at": TO, "project_id": theirs, "member_id": me["member_id"] });
    assert_eq!(
        refused(&org, &org.admin, draft).await,
        ["member_id UNKNOWN_MEMBER", "project_id UNKNOWN_PROJECT"]
    );
}

#[tokio::test]
async fn no_time_is_recorded_for_an_inactive_member() {
    let org = OrgFixture::start().await;
    let mia = org.member(&org.mia).await;
    org.owner
        .patch(&org.path(&format!("/members/{mia}")), json!({ "status": "suspended" }))
        .await
        .expect(200);
    let draft = json!({ "started_at": FROM, "ended_at": TO, "member_id": mia });
    assert_eq!(refused(&org, &org.admin, draft).await, ["member_id INACTIVE_MEMBER"]);
}

#[tokio::test]
async fn each_organization_has_its_own_rules() {
    let org = OrgFixture::start().await;
    let (soon, later) = (in_seconds(3600), in_seconds(7200));
    let write = |from: &str, to: &str| json!({ "started_at": from, "ended_at": to });
    assert_eq!(
        refused(&org, &org.mia, write(&soon, &later)).await,
        ["ended_at IN_FUTURE", "started_at IN_FUTURE"]
    );
    org.update_settings(json!({ "time_entry_future": "allow", "time_entry_max_hours": 1 })).await;
    org.create_time_entry(&org.mia, (&soon, &later), json!({})).await;
    let reply = org.mia.post(&org.path("/time-entries"), write(FROM, "2026-03-02T09:00:01Z")).await;
    let problem = reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(
        problem["errors"][0]["message"],
        "A time entry of this organization can last at most 1 hours. Choose an earlier end."
    );
    for (setting, value) in [
        ("time_entry_max_hours", json!(0)),
        ("time_entry_max_hours", json!(745)),
        ("time_entry_overlap", json!("maybe")),
    ] {
        let reply =
            org.owner.patch(&org.path("/settings"), json!({ setting: value })).header("if-match", "*").await;
        assert_eq!(reply.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], setting);
    }
    org.update_settings(json!({ "time_entry_max_hours": 744 })).await;
    org.create_time_entry(&org.mia, ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), json!({})).await;
    // New rules do not forbid corrections of existing entries.
    org.update_settings(json!({ "time_entry_max_hours": 8 })).await;
    let list = org.mia.get(&org.path("/time-entries?sort=started_at")).await.expect(200);
    let path = org.path(&format!("/time-entries/{}", id(&list["data"][0])));
    org.mia.patch(&path, json!({ "notes": "the whole month" })).await.expect(200);
    let moved = org.mia.patch(&path, json!({ "started_at": "2026-01-02T00:00:00Z" })).await;
    moved.problem(422, "VALIDATION_FAILED");
    assert_eq!(moved.faults(), ["ended_at ENTRY_TOO_LONG"]);
}

#[tokio::test]
async fn an_archived_project_takes_no_new_work() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let entry = org.create_time_entry(&org.mia, (FROM, TO), json!({ "project_id": project })).await;
    let free = org.create_time_entry(&org.mia, (FROM, TO), json!({})).await;
    let archived = format!("UPDATE projects SET archived_at = created_at WHERE {}", org.own_rows());
    org.server.database().await.execute(&archived).await;
    let draft = json!({ "started_at": FROM, "ended_at": TO, "project_code": "ENGINE" });
    for asked in [
        org.mia.post(&org.path("/time-entries"), draft),
        org.mia.post(&org.path("/timer/start"), json!({ "project_id": project })),
        org.mia.patch(&org.path(&format!("/time-entries/{}", id(&free))), json!({ "project_id": project })),
    ] {
        let reply = asked.await;
        reply.problem(409, "PROJECT_ARCHIVED");
        assert_eq!(reply.faults(), ["project_id PROJECT_ARCHIVED"]);
    }
    // Existing entries can be corrected.
    org.mia
        .patch(&org.path(&format!("/time-entries/{}", id(&entry))), json!({ "notes": "x" }))
        .await
        .expect(200);
}

#[tokio::test]
async fn no_time_is_counted_twice_where_the_organization_wants_it() {
    let org = OrgFixture::start().await;
    org.create_time_entry(&org.mia, (FROM, TO), json!({})).await;
    let double = org.create_time_entry(&org.mia, (FROM, TO), json!({})).await;
    org.update_settings(json!({ "time_entry_overlap": "refuse" })).await;
    let write = async |from: &str, to: &str| {
        let draft = json!({ "started_at": from, "ended_at": to });
        let reply = org.mia.post(&org.path("/time-entries"), draft).await;
        (reply.outcome().0, reply.faults())
    };
    let overlap = || (409, vec!["started_at TIME_ENTRY_OVERLAP".to_owned()]);
    assert_eq!(write("2026-03-02T07:00:00Z", "2026-03-02T08:00:01Z").await, overlap());
    assert_eq!(write("2026-03-02T08:20:00Z", "2026-03-02T08:40:00Z").await, overlap());
    assert_eq!(write("2026-03-02T08:59:59Z", "2026-03-02T10:00:00Z").await, overlap());
    assert_eq!(write("2026-03-02T07:00:00Z", "2026-03-02T10:00:00Z").await, overlap());
    // The end of one is the beginning of the next.
    assert_eq!(write("2026-03-02T07:00:00Z", FROM).await.0, 201);
    assert_eq!(write(TO, "2026-03-02T10:00:00Z").await.0, 201);
    // Others work at the same time.
    org.create_time_entry(&org.admin, (FROM, TO), json!({})).await;

    // What is there twice can be told of, but is moved only to where it is free.
    let path = org.path(&format!("/time-entries/{}", id(&double)));
    org.mia.patch(&path, json!({ "notes": "x" })).await.expect(200);
    org.mia
        .patch(&path, json!({ "ended_at": "2026-03-02T08:30:00Z" }))
        .await
        .problem(409, "TIME_ENTRY_OVERLAP");
    let free = json!({ "started_at": "2026-03-02T11:00:00Z", "ended_at": "2026-03-02T12:00:00Z" });
    org.mia.patch(&path, free).await.expect(200);
    org.mia.delete(&path).await.expect(204);
    let inside = ("2026-03-02T11:30:00Z", "2026-03-02T11:40:00Z");
    let inside = org.create_time_entry(&org.mia, inside, json!({})).await;
    let restore =
        org.mia.request("POST", &format!("{path}/restore")).await.problem(409, "TIME_ENTRY_OVERLAP");
    assert_eq!(restore["time_entry_id"], inside["id"]);

    // What runs takes all the time there will be, and cannot begin in what is written down.
    let early = json!({ "started_at": "2026-03-02T06:00:00Z" });
    org.mia.post(&org.path("/timer/start"), early).await.problem(409, "TIME_ENTRY_OVERLAP");
    org.mia.post(&org.path("/timer/start"), json!({ "started_at": in_seconds(-600) })).await.expect(201);
    let (from, to) = (in_seconds(-300), in_seconds(-200));
    assert_eq!(write(&from, &to).await, overlap());
}

/// Of 64 who write the same hour at once one is heard, and of 64 who write each another one all are.
#[tokio::test]
async fn no_time_is_counted_twice_by_many_at_once() {
    let org = OrgFixture::start().await;
    org.update_settings(json!({ "time_entry_overlap": "refuse" })).await;
    let hour = |day: usize, hour: usize| json!({ "started_at": format!("2026-01-{day:02}T{hour:02}:00:00Z"), "ended_at": format!("2026-01-{day:02}T{:02}:00:00Z", hour + 1) });
    let write = |draft: Value| {
        let (mia, path) = (org.mia.clone(), org.path("/time-entries"));
        async move { mia.post(&path, draft).await.outcome().0 }
    };
    let same = concurrently(64, |_| write(hour(1, 8))).await;
    assert_eq!(same.iter().filter(|status| **status == 201).count(), 1, "{same:?}");
    assert_eq!(same.iter().filter(|status| **status == 409).count(), 63, "{same:?}");
    let apart = concurrently(64, |n| write(hour(2 + n / 16, n % 16))).await;
    assert!(apart.iter().all(|status| *status == 201), "{apart:?}");
    let entries = format!("SELECT count(*) FROM time_entries WHERE {}", org.own_rows());
    assert_eq!(org.server.database().await.scalar(&entries).await, 65);
}

//! `O/period-lock`: entries that began before it cannot be changed.

use insula_tests::{OrgFixture, concurrently, eventually, id};
use serde_json::{Value, json};

const UNTIL: &str = "2026-03-01T00:00:00Z";
const BEFORE: (&str, &str) = ("2026-02-28T08:00:00Z", "2026-02-28T09:00:00Z");
const AFTER: (&str, &str) = (UNTIL, "2026-03-01T09:00:00Z");

async fn lock(org: &OrgFixture, until: Value) -> Value {
    org.admin.put(&org.path("/period-lock"), json!({ "locked_until": until })).await.expect(200)
}

#[tokio::test]
async fn what_is_locked_is_neither_added_nor_changed_nor_deleted() {
    let org = OrgFixture::start().await;
    let old = org.create_time_entry(&org.mia, BEFORE, json!({})).await;
    let gone = org.create_time_entry(&org.mia, BEFORE, json!({})).await;
    let new = org.create_time_entry(&org.mia, AFTER, json!({})).await;
    let path = |entry: &Value| org.path(&format!("/time-entries/{}", id(entry)));
    org.mia.delete(&path(&gone)).await.expect(204);
    lock(&org, json!(UNTIL)).await;
    let draft = json!({ "started_at": BEFORE.0, "ended_at": BEFORE.1 });
    for asked in [
        org.mia.post(&org.path("/time-entries"), draft.clone()),
        org.owner.post(&org.path("/time-entries"), draft),
        org.mia.patch(&path(&old), json!({ "notes": "x" })),
        org.mia.patch(&path(&old), json!({ "started_at": AFTER.0, "ended_at": AFTER.1 })),
        org.mia.patch(&path(&new), json!({ "started_at": BEFORE.0 , "ended_at": BEFORE.1 })),
        org.mia.delete(&path(&old)),
        org.mia.request("POST", &format!("{}/restore", path(&gone))),
        org.mia.post(&org.path("/timer/start"), json!({ "started_at": BEFORE.0 })),
    ] {
        let reply = asked.await;
        let problem = reply.problem(409, "PERIOD_LOCKED");
        assert_eq!(reply.faults(), ["started_at PERIOD_LOCKED"]);
        assert_eq!(
            problem["errors"][0]["message"],
            "Time entries that started before 2026-03-01T00:00:00Z are locked and can no longer be changed."
        );
    }
    // It can be seen, and what changes nothing changes nothing.
    assert_eq!(org.mia.get(&path(&old)).await.expect(200), old);
    assert_eq!(org.mia.patch(&path(&old), json!({})).await.expect(200), old);
    org.mia.patch(&path(&new), json!({ "notes": "x" })).await.expect(200);

    lock(&org, Value::Null).await;
    org.mia.patch(&path(&old), json!({ "notes": "x" })).await.expect(200);
    org.mia.request("POST", &format!("{}/restore", path(&gone))).await.expect(200);
}

/// It has counted there all along: no report changes by it.
#[tokio::test]
async fn what_runs_when_its_beginning_is_locked_can_be_stopped() {
    let org = OrgFixture::start().await;
    let started = org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
    let path = org.path(&format!("/time-entries/{}", id(&started)));
    // A moment that is over, and later than that at which it began.
    let began = started["started_at"].as_str().unwrap().to_owned();
    let locked = async || {
        let until = chrono::DateTime::parse_from_rfc3339(&began).unwrap() + chrono::TimeDelta::seconds(1);
        let body = json!({ "locked_until": until.to_rfc3339() });
        org.admin.put(&org.path("/period-lock"), body).await.status == 200
    };
    eventually("the moment is over", locked).await;
    org.mia.patch(&path, json!({ "notes": "x" })).await.problem(409, "PERIOD_LOCKED");
    org.mia.delete(&path).await.problem(409, "PERIOD_LOCKED");
    let stopped = org.mia.request("POST", &org.path("/timer/stop")).await.expect(200);
    assert!(stopped["ended_at"].is_string());
    org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
}

#[tokio::test]
async fn a_lock_has_versions_and_leaves_events() {
    let org = OrgFixture::start().await;
    let path = org.path("/period-lock");
    let none = org.viewer.get(&path).await;
    assert_eq!(none.expect(200), json!({ "locked_until": null, "version": 0 }));
    assert_eq!(none.header("etag"), Some("\"0\""));
    assert_eq!(lock(&org, Value::Null).await["version"], 0, "nothing changed");
    let put = |until: &str| org.admin.put(&path, json!({ "locked_until": until }));
    let first = put("2026-03-01T00:00:00.7Z").header("if-match", "\"0\"").await;
    assert_eq!(first.expect(200), json!({ "locked_until": UNTIL, "version": 1 }));
    assert_eq!(first.header("etag"), Some("\"1\""));
    put("2026-04-01T00:00:00Z").header("if-match", "\"0\"").await.problem(412, "PRECONDITION_FAILED");
    put("2026-02-01T00:00:00Z").header("if-match", "\"1\"").await.expect(200);
    put("2026-02-01T00:00:00Z").await.expect(200);
    lock(&org, Value::Null).await;
    org.viewer.get(&path).header("if-none-match", "\"3\"").await.expect(304);
    let recorded = format!(
        "SELECT action || ' ' || details FROM audit_events WHERE resource = 'period' AND {} ORDER BY occurred_at, id",
        org.own_rows()
    );
    let change = |before: Value, after: Value| {
        json!({ "after": { "locked_until": after }, "before": { "locked_until": before } }).to_string()
    };
    assert_eq!(
        org.server.database().await.texts(&recorded).await,
        [
            format!("period.locked {}", change(Value::Null, json!(UNTIL))),
            format!("period.unlocked {}", change(json!(UNTIL), json!("2026-02-01T00:00:00Z"))),
            format!("period.unlocked {}", change(json!("2026-02-01T00:00:00Z"), Value::Null)),
        ]
    );
}

#[tokio::test]
async fn a_lock_is_refused_that_is_none() {
    let org = OrgFixture::start().await;
    let path = org.path("/period-lock");
    let refused = org.mia.put(&path, json!({ "locked_until": UNTIL })).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["permission"], "time_entries:lock");
    for (body, fault) in [
        (json!({}), "locked_until REQUIRED"),
        (json!({ "locked_until": "soon" }), "locked_until INVALID_FORMAT"),
        (json!({ "locked_until": "2199-01-01T00:00:00Z" }), "locked_until IN_FUTURE"),
        (json!({ "locked_until": UNTIL, "why": "x" }), "why UNKNOWN_FIELD"),
    ] {
        let reply = org.admin.put(&path, body).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [fault]);
    }
}

/// After the answer that a period is locked, no new entries appear in it.
#[tokio::test]
async fn nothing_slips_into_a_period_while_it_is_locked() {
    let org = OrgFixture::start().await;
    let database = org.server.database().await;
    let count = format!("SELECT count(*) FROM time_entries WHERE {}", org.own_rows());
    let asked = concurrently(40, |n| {
        let (who, adam, entries, period) = (
            if n % 2 == 0 { org.mia.clone() } else { org.owner.clone() },
            org.admin.clone(),
            org.path("/time-entries"),
            org.path("/period-lock"),
        );
        let (database, count) = (database.clone(), count.clone());
        async move {
            if n == 20 {
                adam.put(&period, json!({ "locked_until": UNTIL })).await.expect(200);
                return (0, database.scalar(&count).await);
            }
            let draft = json!({ "started_at": BEFORE.0, "ended_at": BEFORE.1 });
            (who.post(&entries, draft).await.outcome().0, 0)
        }
    })
    .await;
    let written = asked.iter().filter(|(status, _)| *status == 201).count();
    let refused = asked.iter().filter(|(status, _)| *status == 409).count();
    assert_eq!(written + refused, 39, "{asked:?}");
    let stands = database.scalar(&count).await;
    assert_eq!((asked[20].1, i64::try_from(written).unwrap()), (stands, stands), "{asked:?}");
}

//! `/organizations/{org}/settings`.

use insula_tests::{OrgWithOwner, concurrently};
use serde_json::{Value, json};

const SETTINGS: &str = "/api/v1/organizations/{org}/settings";

#[tokio::test]
async fn settings_that_are_not_set_have_defaults() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let reply = owner.get(SETTINGS).await;
    assert_eq!(reply.expect(200), settings("EUR", "monday", 1));
    owner.get(SETTINGS).header("if-none-match", reply.header("etag").unwrap()).await.expect(304);
}

#[tokio::test]
async fn an_update_needs_if_match() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let patch = |body: Value| owner.patch(SETTINGS, body);
    patch(json!({ "currency": "USD" })).await.problem(428, "PRECONDITION_REQUIRED");
    patch(json!({ "currency": "USD" })).header("if-match", "\"9\"").await.problem(412, "PRECONDITION_FAILED");
    // Errors of the body come first.
    patch(json!({ "currency": "usd" })).await.problem(422, "VALIDATION_FAILED");
    let changed = patch(json!({ "currency": "USD" })).header("if-match", "\"1\"").await;
    assert_eq!(changed.expect(200), settings("USD", "monday", 2));
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let changed = patch(json!({ "week_start": "sunday" })).header("if-match", "*").await.expect(200);
    assert_eq!(changed, settings("USD", "sunday", 3));
    assert_eq!(owner.get(SETTINGS).await.expect(200), changed);
    // Nothing changes, and leaves no trace.
    for same in [json!({}), json!({ "currency": "USD", "week_start": "sunday" })] {
        assert_eq!(patch(same).header("if-match", "\"3\"").await.expect(200), changed);
    }
    // They are a part of the organization.
    let organization = owner.get("/api/v1/organizations/{org}").await;
    assert_eq!(organization.header("etag"), Some("\"3\""));
    assert_eq!(
        acme.event_details("settings.updated").await,
        [
            json!({ "after": { "currency": "USD" }, "before": { "currency": "EUR" } }).to_string(),
            json!({ "after": { "week_start": "sunday" }, "before": { "week_start": "monday" } }).to_string(),
        ]
    );
}

#[tokio::test]
async fn every_wrong_setting_is_named() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (body, faults) in [
        // As ISO 4217 writes "no currency".
        (json!({ "currency": "XXX" }), vec!["currency UNKNOWN_CURRENCY"]),
        (json!({ "currency": "euro" }), vec!["currency TOO_LONG"]),
        (
            json!({ "currency": null, "week_start": null }),
            vec!["currency NULL_NOT_ALLOWED", "week_start NULL_NOT_ALLOWED"],
        ),
        (json!({ "audit_retention_days": 29 }), vec!["audit_retention_days TOO_SMALL"]),
        (json!({ "audit_retention_days": 3651 }), vec!["audit_retention_days TOO_LARGE"]),
        (json!({ "audit_retention_days": 30.5 }), vec!["audit_retention_days WRONG_TYPE"]),
        (json!({ "currency": 978, "version": 7 }), vec!["currency WRONG_TYPE", "version UNKNOWN_FIELD"]),
    ] {
        let reply = owner.patch(SETTINGS, body).header("if-match", "\"1\"").await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults);
    }
}

#[tokio::test]
async fn the_read_permission_does_not_allow_updates() {
    let (acme, _owner) = OrgWithOwner::start_with_owner().await;
    let eve = acme.join("eve", "viewer").await;
    eve.get(SETTINGS).await.expect(200);
    let problem = eve.patch(SETTINGS, json!({ "currency": "USD" })).await.problem(403, "FORBIDDEN");
    assert_eq!(problem["permission"], "settings:update");
}

#[tokio::test]
async fn one_of_concurrent_updates_of_one_version_succeeds() {
    let (_acme, owner) = OrgWithOwner::start_with_owner().await;
    let replies = concurrently(16, |number| {
        let currency = ["USD", "CHF", "GBP", "JPY"][number % 4];
        let patch = owner.patch(SETTINGS, json!({ "currency": currency })).header("if-match", "\"1\"");
        async move { patch.await.status }
    });
    let replies = replies.await;
    assert_eq!(replies.iter().filter(|status| **status == 200).count(), 1);
    assert!(replies.iter().all(|status| [200, 412].contains(status)), "{replies:?}");
}

#[tokio::test]
async fn settings_of_a_newer_version_are_kept() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let (database, own) = (acme.database().await, format!("WHERE slug = '{}'", acme.slug));
    let newer = r#"UPDATE organizations SET settings = '{"week_start":"someday","lock":"2027-01-01"}'"#;
    database.execute(&format!("{newer} {own}")).await;
    assert_eq!(owner.get(SETTINGS).await.expect(200)["week_start"], "monday");
    owner.patch(SETTINGS, json!({ "currency": "CHF" })).header("if-match", "*").await.expect(200);
    let stored = database.text(&format!("SELECT settings FROM organizations {own}")).await;
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!((&stored["lock"], &stored["currency"]), (&json!("2027-01-01"), &json!("CHF")));
}

/// All settings, as they are shown: these, and of the others what is usual.
fn settings(currency: &str, week_start: &str, version: i64) -> Value {
    json!({
        "currency": currency, "week_start": week_start, "audit_retention_days": 365,
        "time_entry_overlap": "allow", "time_entry_max_hours": 24, "time_entry_future": "refuse",
        "version": version,
    })
}

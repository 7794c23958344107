//! Checks that every audit log is one complete chain.

use insula_tests::{TestDatabase, console};
use reqwest::Method;

use crate::client::{Answer, ChaosClient};

/// The errors in the logs, one sentence each. `owner` becomes a superuser to read all of them.
pub(crate) async fn audit(database: &TestDatabase, owner: &ChaosClient) -> Vec<String> {
    let mut faults = Vec::new();
    for (what, sql) in [
        (
            "logs with a gap, or a number twice",
            "SELECT count(*) FROM (SELECT organization_id FROM audit_events GROUP BY organization_id
             HAVING count(*) <> count(DISTINCT seq) OR max(seq) <> count(*) OR min(seq) <> 1) AS forked",
        ),
        (
            "events that do not follow the one before",
            "SELECT count(*) FROM audit_events e JOIN audit_events b
             ON b.organization_id = e.organization_id AND b.seq = e.seq - 1 WHERE e.prev_hash <> b.hash",
        ),
        (
            "logs whose end is not their last event",
            "SELECT count(*) FROM audit_heads h WHERE NOT EXISTS (SELECT 1 FROM audit_events e
             WHERE e.organization_id = h.organization_id AND e.seq = h.last_seq AND e.hash = h.last_hash)",
        ),
    ] {
        let number = database.scalar(sql).await;
        if number > 0 {
            faults.push(format!("{number} {what}"));
        }
    }
    database.execute("UPDATE users SET is_superuser = TRUE WHERE email = 'owner@example.com'").await;
    let slugs =
        database.texts("SELECT slug FROM organizations WHERE kind = 'team' ORDER BY created_at").await;
    // The owner's own is the longest; of the others some.
    let logs = slugs.iter().take(20).map(|slug| format!("/organizations/{slug}/audit/verify"));
    let (mut valid, mut events) = (0, 0);
    for path in logs.chain(["/admin/audit/verify".to_owned()]) {
        match owner.get_as_superuser(&path).await {
            Answer::Response(200, report) if report["valid"] == true => {
                valid += 1;
                events += report["events"].as_u64().unwrap_or_default();
            }
            Answer::Response(status, report) => faults.push(format!("{path}: {status} {report}")),
            Answer::NoResponse => faults.push(format!("{path}: no answer")),
        }
    }
    console::line(&format!("  audit logs: {valid} verified, with {events} events"));
    faults
}

impl ChaosClient {
    async fn get_as_superuser(&self, path: &str) -> Answer {
        self.as_superuser().ask(Method::GET, path, None, None, &[200]).await
    }
}

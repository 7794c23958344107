//! Schedules: each run happens once for any number of processes, and is recorded.

use insula_tests::{Client, Server, TestDatabase, TestEnv, concurrently, eventually};

const LONG_AGO: &str = "'2000-01-01T00:00:00+00:00'";

/// The sum of a metric over some processes; `line`: its name and labels.
async fn counted(operators: &[Client], line: &str) -> u64 {
    let mut sum = 0;
    for superuser in operators {
        let reply = superuser.get("/metrics").await;
        let value = reply.text().lines().find_map(|found| found.strip_prefix(line));
        sum += value.map_or(0, |value| value.trim().parse::<u64>().unwrap());
    }
    sum
}

fn runs(schedule: &str) -> String {
    format!(r#"insula_schedule_runs_total{{name="{schedule}",outcome="done"}}"#)
}

/// Makes `schedule` due and waits until it was run; gives how often by all together. Once more where a regular tick of
/// its own came between.
async fn runs_of_one_tick(database: &TestDatabase, operators: &[Client], schedule: &str) -> u64 {
    let next = format!("SELECT CAST(next_run AS TEXT) FROM schedules WHERE name = '{schedule}'");
    loop {
        let (ticks, before) = (database.text(&next).await, counted(operators, &runs(schedule)).await);
        database.make_due(schedule).await;
        eventually("it was run", async || counted(operators, &runs(schedule)).await > before).await;
        // Two more polls of all processes.
        tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
        let after = counted(operators, &runs(schedule)).await;
        if database.text(&next).await == ticks {
            return after - before;
        }
    }
}

#[tokio::test]
async fn one_of_three_processes_runs_a_due_schedule() {
    let env = TestEnv::new().await;
    let servers = concurrently(3, |_| Server::builder().test_env(&env).start()).await;
    let database = env.database().await;
    let mut operators = Vec::new();
    for server in &servers {
        operators.push(server.ops_client().await);
    }
    for schedule in ["purge-jobs", "purge-emails"] {
        eventually("at the first start at once", async || counted(&operators, &runs(schedule)).await == 1)
            .await;
        assert_eq!(runs_of_one_tick(&database, &operators, schedule).await, 1, "{schedule}");
    }
    let names = "SELECT name FROM schedules WHERE last_run IS NOT NULL AND last_error IS NULL ORDER BY name";
    assert_eq!(
        database.texts(names).await,
        [
            "expire-idempotency-keys",
            "expire-invitations",
            "expire-sessions",
            "expire-slugs",
            "expire-tokens",
            "prune-audit-logs",
            "purge-accounts",
            "purge-emails",
            "purge-jobs",
            "purge-organizations"
        ]
    );
}

#[tokio::test]
async fn expired_rows_are_purged_and_counted() {
    let server = Server::start().await;
    let (database, operators) = (server.database().await, [server.ops_client().await]);
    server.client().register("ada@example.com").await.create_organization("acme").await;
    let rows = async |what: &str| database.scalar(&format!("SELECT count(*) FROM {what}")).await;
    assert!(rows("outbox").await > 0);
    // Whatever else becomes of them.
    database.execute("UPDATE outbox SET state = 'done', lease_by = NULL, lease_until = NULL").await;
    database.make_due("purge-jobs").await;
    database.insert_sent_email("new@example.com").await;
    database.make_due("purge-emails").await;
    for schedule in ["purge-jobs", "purge-emails"] {
        assert!(runs_of_one_tick(&database, &operators, schedule).await >= 1);
    }
    let (jobs, new) = (rows("outbox").await, "emails WHERE message_id = '<a@test>'");
    assert!(jobs > 0 && rows(new).await == 1, "too early");

    for table in ["outbox", "emails"] {
        database
            .execute(&format!("UPDATE {table} SET created_at = {LONG_AGO}, updated_at = {LONG_AGO}"))
            .await;
    }
    database.make_due("purge-jobs").await;
    database.make_due("purge-emails").await;
    eventually("the old ones are gone", async || rows("outbox").await + rows(new).await == 0).await;
    let (forgotten, line) =
        (u64::try_from(jobs).unwrap(), r#"insula_schedule_rows_total{name="purge-jobs"}"#);
    eventually("they are counted", async || counted(&operators, line).await == forgotten).await;
}

#[tokio::test]
async fn a_failed_run_is_recorded_and_repeated() {
    let server = Server::start().await;
    let (database, operators) = (server.database().await, [server.ops_client().await]);
    eventually("the first run", async || counted(&operators, &runs("purge-emails")).await == 1).await;
    let (away, back) = ("ALTER TABLE emails RENAME TO away", "ALTER TABLE away RENAME TO emails");
    database.execute(away).await;
    database.make_due("purge-emails").await;
    let failed = r#"insula_schedule_runs_total{name="purge-emails",outcome="failed"}"#;
    eventually("it failed", async || counted(&operators, failed).await == 1).await;
    let error = "SELECT coalesce(last_error, '') FROM schedules WHERE name = 'purge-emails'";
    eventually("it is told why", async || database.text(error).await.contains("emails")).await;
    database.execute(back).await;
    database.make_due("purge-emails").await;
    eventually("no error is left", async || database.text(error).await.is_empty()).await;
}

//! `insula migrate`: one process, five concurrent ones, up and down.

use std::process::Output;

use insula_tests::{PASSWORD, Server, TestEnv, concurrently};
use serde_json::json;

/// The lines of a command that must succeed.
#[track_caller]
fn lines(output: &Output) -> Vec<String> {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    stdout.lines().map(str::to_owned).collect()
}

/// What follows `word` in the lines that begin with it.
fn named<'a>(lines: &'a [String], word: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

fn migrate(env: &TestEnv, arguments: &[&str]) -> Vec<String> {
    lines(&env.insula(&[&["migrate"], arguments].concat(), &[]))
}

/// Everything that makes the schema but the bookkeeping.
async fn schema(env: &TestEnv) -> Vec<String> {
    let sql = if env.is_postgres() {
        "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, collation_name)
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT concat_ws(' ', tablename, policyname, roles, cmd, qual, with_check) FROM pg_policies
         UNION ALL SELECT concat_ws(' ', relname, relrowsecurity, relforcerowsecurity, relacl::text)
         FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
         ORDER BY 1"
    } else {
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'seaql_migrations' ORDER BY name"
    };
    let database = env.database().await;
    let schema = database.texts(sql).await;
    database.close().await;
    schema
}

#[tokio::test]
async fn five_at_once_apply_everything_exactly_once() {
    let env = TestEnv::new().await;
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..5).map(|_| scope.spawn(|| env.insula(&["migrate", "up"], &[]))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let all: Vec<Vec<String>> = outputs.iter().map(lines).collect();
    assert!(all.iter().all(|lines| lines.last().is_some_and(|line| line == "up to date")), "{all:?}");
    let busy: Vec<_> = all.iter().filter(|lines| lines.len() > 1).collect();
    assert_eq!(busy.len(), 1, "{all:?}");
    assert_eq!(named(busy[0], "applied"), named(&migrate(&env, &["status"]), "applied"));
}

#[tokio::test]
async fn five_servers_that_start_at_once_migrate_once_and_are_one() {
    let env = TestEnv::new().await;
    let servers = concurrently(5, |_| Server::builder().test_env(&env).start()).await;
    let busy = servers.iter().filter(|server| server.log().contains("migrations applied"));
    assert_eq!(busy.count(), 1);
    // One key and one database: who logs in at one is logged in at all.
    let ada = servers[0].client().register("ada@example.com").await;
    for server in &servers {
        server.client().bearer(ada.token()).get("/api/v1/users/me").await.expect(200);
    }
}

#[tokio::test]
async fn up_and_down_and_up_leave_the_same_schema() {
    let env = TestEnv::new().await;
    let applied = migrate(&env, &["up"]);
    let applied = named(&applied, "applied");
    assert!(applied.len() > 1);
    let first = schema(&env).await;

    let reverted = migrate(&env, &["down", "--steps", &applied.len().to_string()]);
    assert!(named(&reverted, "reverted").iter().eq(applied.iter().rev()), "{reverted:?}");
    assert_eq!(named(&migrate(&env, &["status"]), "pending"), applied);
    assert_ne!(schema(&env).await, first);

    assert_eq!(named(&migrate(&env, &["up"]), "applied"), applied);
    assert_eq!(schema(&env).await, first);
}

#[tokio::test]
async fn names_from_before_the_search_are_found() {
    let env = TestEnv::new().await;
    let server = Server::builder().test_env(&env).start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    ada.post("/api/v1/organizations/acme/tags", json!({ "name": "Größe" })).await.expect(201);
    let project = json!({ "code": "CAFE", "name": "Écluse" });
    ada.post("/api/v1/organizations/acme/projects", project).await.expect(201);
    server.terminate().await;

    while !named(&migrate(&env, &["down"]), "reverted").contains(&"m0030_search_keys") {}
    migrate(&env, &["up"]);

    let server = Server::builder().test_env(&env).start().await;
    let ada = server.client().log_in("ada@example.com", PASSWORD).await;
    for (list, name) in [
        ("tags?q=GROSSE", "Größe"),
        ("projects?q=ecl", "Écluse"),
        ("projects?q=cafe", "Écluse"),
        ("roles?q=view", "Viewer"),
    ] {
        let page = ada.get(&format!("/api/v1/organizations/acme/{list}")).await.expect(200);
        assert_eq!(page["data"][0]["name"], name, "{list}");
    }
}

#[tokio::test]
async fn status_says_what_is_applied_and_what_is_pending() {
    let env = TestEnv::new().await;
    let before = migrate(&env, &["status"]);
    assert_eq!(named(&before, "applied"), Vec::<&str>::new());
    migrate(&env, &["up"]);
    let after = migrate(&env, &["status"]);
    assert_eq!(named(&after, "applied"), named(&before, "pending"));

    let reverted = migrate(&env, &["down"]);
    assert_eq!(
        named(&reverted, "reverted"),
        [*named(&after, "applied").last().unwrap()],
        "one step unless told"
    );
    assert_eq!(named(&migrate(&env, &["status"]), "pending"), named(&reverted, "reverted"));
}

#[tokio::test]
async fn fresh_begins_anew_in_the_database_that_the_flag_names() {
    let (named_by_flag, of_the_environment) = (TestEnv::new().await, TestEnv::new().await);
    let url = named_by_flag.database_url();
    lines(&of_the_environment.insula(&["migrate", "up", "--database-url", url], &[]));
    let database = named_by_flag.database().await;
    database
        .execute(
            "INSERT INTO users (id, email, email_canonical, is_active, is_superuser, locale, timezone, week_start, version, created_at, updated_at)
             VALUES ('00000000-0000-0000-0000-000000000001', 'a@example.org', 'a@example.org', true, false, 'en', 'UTC', 'monday', 1,
                     '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
        )
        .await;
    let fresh = of_the_environment.insula(&["migrate", "fresh", "--database-url", url], &[]);
    assert!(named(&lines(&fresh), "applied").len() > 1);
    assert_eq!(database.scalar("SELECT count(*) FROM users").await, 0);
    assert_eq!(named(&migrate(&of_the_environment, &["status"]), "applied"), Vec::<&str>::new());
}

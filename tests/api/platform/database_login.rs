//! PostgreSQL: the login of the application. In production, it must only be a member of the two database roles.

use insula_tests::{Server, TestEnv};
use serde_json::json;

const PRODUCTION: [(&str, &str); 4] = [
    ("INSULA_ENVIRONMENT", "production"),
    ("INSULA_SECRET_KEY", "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV"),
    ("INSULA_PUBLIC_URL", "https://insula.example.com"),
    ("INSULA_MIGRATE_ON_START", "true"),
];

#[tokio::test]
async fn production_refuses_a_login_that_owns_the_tables() {
    let env = TestEnv::new().await;
    if !env.is_postgres() {
        return;
    }
    let output = env.insula(&["serve", "--port", "0"], &[&PRODUCTION[..], &[("RUST_LOG", "off")]].concat());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{complaint}");
    for part in
        ["DATABASE_URL: the login `insula` owns tables", "CREATE ROLE", "INSULA_MIGRATION_DATABASE_URL"]
    {
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[tokio::test]
async fn production_runs_with_a_login_that_is_only_a_member_of_the_database_roles() {
    let env = TestEnv::new().await;
    if !env.is_postgres() {
        return;
    }
    let owner = env.database_url();
    let login = format!("app_{}", owner.rsplit('/').next().unwrap());
    let database = env.database().await;
    database.execute(&format!("CREATE ROLE {login} LOGIN NOINHERIT")).await;
    let url = owner.replace("//insula@", &format!("//{login}@"));
    assert_ne!(url, owner);

    let settings = [("INSULA_MIGRATION_DATABASE_URL", owner), ("DATABASE_URL", &url)];
    let start = PRODUCTION
        .iter()
        .chain(&settings)
        .fold(Server::builder(), |start, (name, value)| start.env(name, value));
    let server = start.test_env(&env).start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let projects = "/api/v1/organizations/acme/projects";
    let made = ada.post(projects, json!({ "code": "P", "name": "P" })).await.expect(201);
    assert_eq!(ada.get(projects).await.expect(200)["data"], json!([made]));
    server.client().get("/readyz").await.expect(200);
    let owners =
        database.texts("SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'").await;
    assert_eq!(owners, ["insula"]);

    server.terminate().await;
    database.execute(&format!("DROP ROLE {login}")).await;
}

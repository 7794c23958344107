//! A dump that is restored into a new cluster without the roles of the old one.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use insula_tests::{
    PASSWORD, Server, TestDatabase, TestEnv, eventually, in_database,
    services::{Durability, Services},
    setting,
};

/// `pg_dump` or `psql`, which Debian keeps beside the server.
fn program(name: &str) -> PathBuf {
    let mut versions: Vec<_> =
        Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten().collect();
    versions.sort_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or_default());
    let beside =
        versions.pop().map(|entry| entry.path().join("bin").join(name)).filter(|file| file.is_file());
    beside.unwrap_or_else(|| name.into())
}

/// What a program prints; it must succeed.
fn run(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(name))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a command.
fn lines(env: &TestEnv, arguments: &[&str], envs: &[(&str, &str)], code: i32) -> Vec<String> {
    let output = env.insula(arguments, envs);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_dump_restored_into_a_new_cluster_is_repaired_and_serves() {
    let env = TestEnv::new().await;
    let (true, Some(admin)) = (env.is_postgres(), setting("INSULA_TEST_POSTGRES_ADMIN_URL")) else {
        return;
    };
    let server = Server::builder().test_env(&env).start().await;
    server.client().register("ada@example.com").await.create_organization("acme").await;
    server.terminate().await;
    let database = env.database_url().rsplit('/').next().unwrap();
    let dump = env.folder().join("dump.sql");
    let file = dump.to_str().unwrap();
    // As the manual says: forced row security would keep the owner from reading everything.
    run("pg_dump", &["--no-owner", "--file", file, &in_database(&admin, database)]);

    let services = Services::start(Durability::Volatile).await.unwrap();
    let cluster = TestDatabase::connect(&services.postgres.admin_url).await;
    for sql in [
        "CREATE ROLE insula_owner LOGIN CREATEROLE",
        "CREATE ROLE insula_login LOGIN NOINHERIT",
        "CREATE DATABASE restored OWNER insula_owner",
    ] {
        cluster.execute(sql).await;
    }
    let restored = in_database(&services.postgres.admin_url, "restored");
    let (owner, login) = (
        restored.replace("//postgres@", "//insula_owner@"),
        restored.replace("//postgres@", "//insula_login@"),
    );
    run("psql", &["--quiet", "--no-psqlrc", "--file", file, &owner]);

    let envs = [("DATABASE_URL", login.as_str()), ("INSULA_MIGRATION_DATABASE_URL", owner.as_str())];
    let missing = lines(&env, &["migrate", "status"], &envs, 1);
    for what in [
        "the role insula_app_",
        "the policy own_organization of projects",
        "SELECT of users for",
        "for the login insula_login",
    ] {
        assert!(
            missing.iter().any(|line| line.starts_with("missing ") && line.contains(what)),
            "{what}: {missing:#?}"
        );
    }
    // The login of the application alone sees as much.
    lines(&env, &["migrate", "status"], &[("DATABASE_URL", login.as_str())], 1);

    let start = Server::builder().test_env(&env).database_url(&login);
    let server = start
        .env("INSULA_MIGRATION_DATABASE_URL", &owner)
        .env("INSULA_MIGRATE_ON_START", "false")
        .start()
        .await;
    let says_so = || {
        server.log().contains("missing in the database") && server.log().contains("run `insula migrate up`")
    };
    eventually("it says what to run", async || says_so()).await;
    server.client().get("/readyz").await.expect(503);

    let repaired = lines(&env, &["migrate", "up"], &envs, 0);
    assert!(repaired.iter().filter(|line| line.starts_with("repaired ")).count() > 60, "{repaired:#?}");
    eventually("it serves", async || server.client().get("/readyz").await.status == 200).await;
    let ada = server.client().log_in("ada@example.com", PASSWORD).await;
    ada.get("/api/v1/organizations/acme").await.expect(200);
    ada.create_organization("second").await;
    assert_eq!(lines(&env, &["migrate", "up"], &envs, 0), ["up to date"]);
    assert!(lines(&env, &["migrate", "status"], &envs, 0).iter().all(|line| line.starts_with("applied ")));
    let owner = TestDatabase::connect(&owner).await;
    let changed = owner.execute("UPDATE organizations SET version = version").await;
    assert_eq!(changed, 0, "the walls stand for the owner, too");
    server.terminate().await;
}

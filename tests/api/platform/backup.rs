//! Backups of a SQLite database that is in use. `restore` tests those of PostgreSQL.

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use insula_tests::{PASSWORD, Server, TestEnv};
use serde_json::json;

const PROJECTS: &str = "/api/v1/organizations/acme/projects";

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

/// A migrated environment on SQLite, and the path of a backup in its folder.
async fn sqlite() -> Option<(TestEnv, String)> {
    let env = TestEnv::migrated().await;
    let file = env.folder().join("copy.db").to_str().unwrap().to_owned();
    (!env.is_postgres()).then_some((env, file))
}

#[tokio::test]
async fn a_backup_under_load_has_everything_that_was_acknowledged_before() {
    let Some((env, file)) = sqlite().await else { return };
    let server = Server::builder().test_env(&env).env("INSULA_LIMIT_WRITE", "100000/min").start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let create = async |number: usize| {
        let code = format!("P{number}");
        ada.post(PROJECTS, json!({ "code": code, "name": code })).await.expect(201);
        code
    };
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        acknowledged.push(create(number).await);
    }

    let copied = {
        let (env, file) = (env.clone(), file.clone());
        tokio::task::spawn_blocking(move || env.insula(&["backup", &file], &[]))
    };
    let mut later = 0;
    while !copied.is_finished() || later == 0 {
        create(100 + later).await;
        later += 1;
    }
    let copied = copied.await.unwrap();
    assert_eq!(copied.status.code(), Some(0), "{}", text(&copied));
    assert!(text(&copied).contains("backed up and checked") && text(&copied).contains("INSULA_SECRET_KEY"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::exists(file.clone() + ".partial").unwrap());
    server.terminate().await;

    // The copy, with the secret key of the data folder.
    let restored = Server::builder().test_env(&env).database_url(&format!("sqlite://{file}"));
    let restored = restored.start().await;
    let ada = restored.client().log_in("ada@example.com", PASSWORD).await;
    let projects = ada.get(&format!("{PROJECTS}?limit=100")).await.expect(200);
    let codes: Vec<_> = projects["data"].as_array().unwrap().iter().map(|project| &project["code"]).collect();
    for code in acknowledged {
        assert!(codes.iter().any(|known| **known == *code), "{code} of {codes:?}");
    }
    let verified = ada.get("/api/v1/organizations/acme/audit/verify").await.expect(200);
    assert_eq!(verified["valid"], true, "{verified}");
    ada.post(PROJECTS, json!({ "code": "NEXT", "name": "Next" })).await.expect(201);
}

#[tokio::test]
async fn a_backup_never_replaces_a_file() {
    let Some((env, file)) = sqlite().await else { return };
    fs::write(&file, "precious").unwrap();
    let refused = env.insula(&["backup", &file], &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused).contains("copy.db: the file exists already; choose another name"),
        "{}",
        text(&refused)
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[tokio::test]
async fn a_damaged_database_is_not_backed_up() {
    let Some((env, file)) = sqlite().await else { return };
    let database = Server::builder().test_env(&env).start().await;
    let planted = database.database().await;
    planted.execute("PRAGMA foreign_keys = OFF").await;
    planted
        .execute(
            "INSERT INTO tags (id, organization_id, name, name_key, version, created_at, updated_at)
             VALUES (randomblob(16), randomblob(16), 'a', 'a', 1, '', '')",
        )
        .await;
    let refused = env.insula(&["backup", &file], &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("damaged: a row of tags names a row"), "{}", text(&refused));
    assert!(!fs::exists(&file).unwrap() && !fs::exists(file + ".partial").unwrap());
}

#[tokio::test]
async fn on_postgresql_the_command_names_pg_dump() {
    let env = TestEnv::migrated().await;
    if env.is_postgres() {
        let refused = env.insula(&["backup", "copy.db"], &[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused).contains("pg_dump --format=custom"), "{}", text(&refused));
    }
}

//! The command line: settings and their sources, what production refuses, superusers, the demo.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Output, Stdio},
};

use insula_tests::{PASSWORD, Server, TestEnv, eventually, insula};
use serde_json::json;

const KEY: &str = "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV";
const URL: &str = "https://insula.example.com";

/// Sound settings of production.
const PRODUCTION: [(&str, &str); 3] =
    [("INSULA_ENVIRONMENT", "production"), ("INSULA_SECRET_KEY", KEY), ("INSULA_PUBLIC_URL", URL)];

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command complains about, a line each; it must have ended with this code.
#[track_caller]
fn complaints(output: &Output, code: i32) -> Vec<String> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text.lines()
        .map(|line| line.strip_prefix("insula: ").unwrap_or_else(|| panic!("{text}")).to_owned())
        .collect()
}

#[tokio::test]
async fn production_refuses_what_is_insecure_a_line_each() {
    let env = TestEnv::new().await;
    let short = "x1y2z3";
    for (key, url, named) in [
        (Some(short), Some(URL), &["INSULA_SECRET_KEY"][..]),
        (None, Some(URL), &["INSULA_SECRET_KEY"]),
        (Some("0000000000000000000000000000000000000000"), Some(URL), &["INSULA_SECRET_KEY"]),
        (Some(KEY), Some("http://insula.example.com"), &["INSULA_PUBLIC_URL"]),
        (Some(KEY), None, &["INSULA_PUBLIC_URL"]),
        (None, None, &["INSULA_SECRET_KEY", "INSULA_PUBLIC_URL"]),
    ] {
        let settings = [("INSULA_SECRET_KEY", key), ("INSULA_PUBLIC_URL", url)];
        let mut envs: Vec<_> = settings.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
        envs.push(PRODUCTION[0]);
        for command in [&["serve", "--port", "0"][..], &["config", "check"]] {
            let complaints = complaints(&env.insula(command, &envs), 78);
            let names: Vec<_> = complaints.iter().map(|line| line.split(':').next().unwrap()).collect();
            assert_eq!(names, named, "{complaints:?}");
            assert!(!complaints.concat().contains(short), "{complaints:?}");
        }
    }
    assert!(env.insula(&["config", "check"], &PRODUCTION).status.success());
}

#[tokio::test]
async fn production_refuses_what_is_for_trying_things_out() {
    let env = TestEnv::new().await;
    for command in [["seed", "demo"], ["migrate", "fresh"]] {
        let complaints = complaints(&env.insula(&command, &PRODUCTION), 78);
        assert!(complaints.len() == 1 && complaints[0].contains("refused in production"), "{complaints:?}");
    }
    assert_eq!(env.folder().read_dir().unwrap().count(), 0);
}

#[test]
fn a_setting_that_is_none_is_refused_with_the_nearest_one() {
    for command in [&["config", "check"][..], &["migrate", "status"], &["serve", "--port", "0"]] {
        let misspelled =
            complaints(&insula(command, &[("INSULA_SECRET_KEYS", KEY), ("INSULA_BINT", "x")]), 78);
        assert_eq!(
            misspelled,
            [
                "INSULA_BINT: unknown; did you mean INSULA_BIND?",
                "INSULA_SECRET_KEYS: unknown; did you mean INSULA_SECRET_KEY?"
            ]
        );
        let wrong = [
            ("INSULA_BIND", "nowhere"),
            ("INSULA_SESSION_TTL", "soon"),
            ("INSULA_MIGRATE_ON_START", "maybe"),
        ];
        let names: Vec<_> = complaints(&insula(command, &wrong), 78);
        let names: Vec<_> = names.iter().map(|line| line.split(": expected ").next().unwrap()).collect();
        assert_eq!(names, ["INSULA_BIND", "INSULA_MIGRATE_ON_START", "INSULA_SESSION_TTL"]);
    }
}

#[tokio::test]
async fn a_setting_may_stand_in_a_file_of_its_own_but_not_twice() {
    let env = TestEnv::new().await;
    let file = env.folder().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let file = file.to_str().unwrap();
    let mut envs = vec![PRODUCTION[0], PRODUCTION[2], ("INSULA_SECRET_KEY_FILE", file)];
    assert!(env.insula(&["config", "check"], &envs).status.success());
    envs.push(PRODUCTION[1]);
    let twice = complaints(&env.insula(&["config", "check"], &envs), 78);
    assert!(twice.len() == 1 && twice[0].contains("INSULA_SECRET_KEY_FILE"), "{twice:?}");
    let nowhere = [("INSULA_SECRET_KEY_FILE", "/nowhere/key")];
    let missing = complaints(&env.insula(&["config", "check"], &nowhere), 78);
    assert!(missing.len() == 1 && missing[0].contains("/nowhere/key"), "{missing:?}");
}

#[tokio::test]
async fn the_stronger_source_of_a_setting_wins_and_is_named() {
    let env = TestEnv::new().await;
    let folder = env.folder();
    let printed = |arguments: &[&str], data_dir: Option<&str>| {
        let mut command = env.command(&[&["config", "print"], arguments].concat());
        command.env_remove("INSULA_DATA_DIR").envs(data_dir.map(|value| ("INSULA_DATA_DIR", value)));
        let output = out(&command.output().unwrap());
        let line = output.lines().find(|line| line.starts_with("INSULA_DATA_DIR ")).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let file = folder.join("insula.toml");
    std::fs::write(&file, "data_dir = \"of-file\"\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(printed(&[], None), "default data");
    assert_eq!(printed(&["--config", file], None), format!("{file} of-file"));
    std::fs::write(folder.join(".env"), "INSULA_DATA_DIR=of-dotenv\n").unwrap();
    assert_eq!(printed(&["--config", file], None), ".env of-dotenv");
    assert_eq!(printed(&["--config", file], Some("of-env")), "environment of-env");
    assert_eq!(printed(&["--config", file, "--data-dir", "of-flag"], Some("of-env")), "flag of-flag");
}

#[test]
fn secrets_are_never_printed() {
    let envs = [
        ("INSULA_SECRET_KEY", KEY),
        ("INSULA_SECRET_KEY_PREVIOUS", KEY),
        ("DATABASE_URL", "postgres://insula:hunter2@127.0.0.1/x"),
        ("INSULA_MIGRATION_DATABASE_URL", "postgres://owner:hunter2@127.0.0.1/x"),
        ("INSULA_FIRST_SUPERUSER_PASSWORD", "hunter2"),
    ];
    let printed = out(&insula(&["config", "print"], &envs));
    assert!(!printed.contains(KEY) && !printed.contains("hunter2"), "{printed}");
    for (name, _) in envs {
        let line = printed.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert_eq!(line.split_whitespace().skip(1).collect::<Vec<_>>(), ["environment", "(hidden)"]);
    }
    let table = out(&insula(&["config", "print", "--markdown"], &envs));
    assert!(table.lines().skip(2).all(|row| row.starts_with("| `")) && !table.contains("hunter2"), "{table}");
    let unusable = insula(&["migrate", "up"], &[("DATABASE_URL", "mysql://insula:hunter2@127.0.0.1/x")]);
    assert!(!complaints(&unusable, 78).concat().contains("hunter2"));
}

#[test]
fn every_command_explains_itself() {
    let mut commands = vec![vec![]];
    let mut explained = 0;
    while let Some(command) = commands.pop() {
        let output = insula(&[&command[..], &["--help"]].concat(), &[]);
        let help: &'static str = out(&output).leak();
        assert!(output.status.success() && help.contains("Usage: insula"), "{command:?}");
        let list = help.split("Commands:\n").nth(1).unwrap_or_default();
        let names = list.lines().take_while(|line| !line.is_empty());
        commands
            .extend(names.map(|line| [&command[..], &[line.split_whitespace().next().unwrap()]].concat()));
        explained += 1;
    }
    assert!(explained >= 15, "{explained}");
    assert_eq!(insula(&["frobnicate"], &[]).status.code(), Some(2));
    assert_eq!(insula(&[], &[]).status.code(), Some(2));
}

#[test]
fn shells_can_complete_it() {
    for shell in ["bash", "zsh", "fish"] {
        let output = insula(&["completion", shell], &[]);
        assert!(output.status.success() && out(&output).contains("create-superuser"), "{shell}");
    }
    assert_eq!(insula(&["completion", "cobol"], &[]).status.code(), Some(2));
}

/// Runs `create-superuser` with this line on stdin.
fn create_superuser(env: &TestEnv, email: &str, password: &str) -> Output {
    let mut command = env.command(&["create-superuser", "--email", email, "--password-stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("RUST_LOG", "off");
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn a_superuser_is_created_once_and_keeps_the_password() {
    let env = TestEnv::new().await;
    let made = create_superuser(&env, "root@example.com", PASSWORD);
    assert_eq!(out(&made), "root@example.com is now a superuser\n");
    let again = create_superuser(&env, "Root@Example.com", "another long password");
    assert!(again.status.success() && out(&again).contains("nothing was changed"), "{again:?}");

    let server = Server::builder().test_env(&env).start().await;
    let root = server.client().log_in("root@example.com", PASSWORD).await;
    assert_eq!(root.get("/api/v1/users/me").await.expect(200)["is_superuser"], true);
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn promoting_an_account_revokes_its_sessions() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    assert!(create_superuser(server.test_env(), "ada@example.com", "another long password").status.success());
    // The previous creator of the account has no access.
    eventually("the account's sessions end", async || ada.get("/api/v1/users/me").await.status == 401).await;
    let old = json!({ "email": "ada@example.com", "password": PASSWORD });
    server.client().post("/api/v1/auth/login", old).await.problem(401, "INVALID_CREDENTIALS");
    let superuser = server.client().log_in("ada@example.com", "another long password").await;
    assert_eq!(superuser.get("/api/v1/users/me").await.expect(200)["is_superuser"], true);
}

#[tokio::test]
async fn a_superuser_needs_a_valid_address_and_password() {
    let env = TestEnv::new().await;
    assert!(env.insula(&["migrate", "up"], &[]).status.success());
    for (email, password, named) in [
        ("root@example.com", "1234567", "password"),
        ("root@example.com", "", "password"),
        ("root@example.com", "password123", "password"),
        ("root@example.com", "root@example.com", "password"),
        ("root", PASSWORD, "e-mail"),
    ] {
        let complaints = complaints(&create_superuser(&env, email, password), 1);
        assert!(complaints.len() == 1 && complaints[0].starts_with(named), "{complaints:?}");
    }
    for arguments in [&["create-superuser"][..], &["create-superuser", "--email", "root@example.com"]] {
        complaints(&env.insula(arguments, &[]), 1);
    }
    assert_eq!(env.database().await.scalar("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn the_first_superuser_can_come_from_the_settings() {
    let env = TestEnv::new().await;
    for password in [PASSWORD, "another long password"] {
        let start = Server::builder().test_env(&env).env("INSULA_FIRST_SUPERUSER_EMAIL", "root@example.com");
        let server = start.env("INSULA_FIRST_SUPERUSER_PASSWORD", password).start().await;
        let root = server.client().log_in("root@example.com", PASSWORD).await;
        assert_eq!(root.get("/api/v1/users/me").await.expect(200)["is_superuser"], true);
    }
}

#[test]
fn only_the_owner_can_read_the_data_folder() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("deep").join("data");
    let output = insula(&["seed", "demo", "--data-dir", data.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for secret in ["secret.key", "demo.txt"] {
        assert_eq!(mode(&data.join(secret)), 0o600, "{secret}");
    }
}

#[tokio::test]
async fn the_demo_is_seeded_once() {
    let env = TestEnv::new().await;
    let tables = ["users", "members", "roles", "projects", "organizations", "credentials"];
    let mut found = Vec::new();
    for _ in 0..2 {
        let output = env.insula(&["seed", "demo"], &[]);
        assert!(output.status.success(), "{output:?}");
        let file = env.folder().join("demo.txt");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let mut state = vec![std::fs::read_to_string(file).unwrap()];
        let database = env.database().await;
        for table in tables {
            state.push(database.scalar(&format!("SELECT count(*) FROM {table}")).await.to_string());
        }
        found.push((state, out(&output).contains("nothing was changed")));
    }
    assert_eq!((found[0].1, found[1].1), (false, true));
    assert_eq!(found[0].0, found[1].0);

    let server = Server::builder().test_env(&env).start().await;
    let password = found[0].0[0].trim();
    for person in ["olivia", "adam", "mia", "victor", "root"] {
        server.client().log_in(&format!("{person}@demo.example"), password).await;
    }
    let output = server.terminate().await;
    let greeting = out(&output);
    assert!(greeting.contains("demo.txt") && greeting.contains("olivia@demo.example"), "{greeting}");
    assert!(!greeting.contains(password), "{greeting}");
    for (person, role) in [("olivia", "owner"), ("adam", "admin"), ("mia", "member"), ("victor", "viewer")] {
        let line = greeting.lines().find(|line| line.contains(person)).unwrap();
        assert!(line.ends_with(&format!("{role} of `demo`")), "{line}");
    }
}

#[tokio::test]
async fn a_start_without_the_demo_says_how_to_go_on() {
    let output = out(&Server::start().await.terminate().await);
    for part in ["/docs/", "insula seed demo", "insula create-superuser", "insula migrate fresh"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    // The database is not in the data folder.
    assert!(!output.contains("delete"), "{output}");
}

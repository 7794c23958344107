//! The forms of settings: URLs, `.env` files, variables of Kubernetes.

use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use insula_tests::{TestEnv, insula};

const KEY: &str = "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV";

/// What a command complains about; it must have ended with this code.
#[track_caller]
fn complaint(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// Runs a command in a folder, with these variables alone.
fn run_in(folder: &Path, arguments: &[&str], envs: &[(&str, &str)]) -> Output {
    let mut command = TestEnv::on_sqlite().command(arguments);
    command.current_dir(folder).env_remove("DATABASE_URL").env_remove("INSULA_DATA_DIR");
    command.envs(envs.iter().copied()).output().unwrap()
}

#[test]
fn a_file_is_made_where_its_url_says() {
    for (url, file) in [
        ("sqlite:///./NAME.db", "NAME.db"),
        ("sqlite+aiosqlite:///./NAME.db", "NAME.db"),
        ("sqlite:NAME.db", "NAME.db"),
        ("sqlite://sub/NAME.db", "sub/NAME.db"),
        ("sqlite://NAME%25%3F.db", "NAME%?.db"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        // A name of this run's own: what an earlier one left in the root says nothing.
        let name = folder.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        let (url, file) = (url.replace("NAME", name), file.replace("NAME", name));
        let up = run_in(folder.path(), &["migrate", "up"], &[("DATABASE_URL", &url)]);
        assert!(up.status.success(), "{url}: {up:?}");
        assert!(folder.path().join(&file).is_file(), "{url}");
        assert!(!Path::new("/").join(&file).try_exists().unwrap(), "{url}");
    }
}

#[test]
fn every_name_of_a_data_folder_is_that_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a%20b", "a b", "what?", "100%", "c#d", "e%3Ff"] {
        let up = run_in(folder.path(), &["migrate", "up"], &[("INSULA_DATA_DIR", name)]);
        assert!(up.status.success(), "{name}: {up:?}");
        assert!(folder.path().join(name).join("insula.db").is_file(), "{name}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 6, "and nothing else was made");
}

#[test]
fn a_url_of_something_else_is_refused_with_the_right_form() {
    for (name, url, form) in [
        ("DATABASE_URL", "mysql://insula:hunter2@db/x", "postgres://user:password@host:5432/database"),
        ("DATABASE_URL", "sqlite:///logger.db", "sqlite:///var/lib/insula/insula.db (absolute)"),
        ("DATABASE_URL", "sqlite::memory:", "a persistent database"),
        ("DATABASE_URL", "postgres://insula:hunter2#x@db/x", "%23 for #"),
        ("INSULA_MIGRATION_DATABASE_URL", "jdbc:postgresql://db/x?password=hunter2", "postgres://"),
        ("INSULA_PUBLIC_URL", "insula.example", "https://insula.example"),
        ("REDIS_URL", "http://:hunter2@redis", ""),
    ] {
        let message = complaint(&insula(&["config", "check"], &[(name, url)]), 78);
        assert!(
            message.starts_with(&format!("insula: {name}: ")) && message.contains(form),
            "{url}: {message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }
    let domain =
        [("INSULA_PUBLIC_URL", "https://app.insula.example"), ("INSULA_COOKIE_DOMAIN", "other.example")];
    assert!(
        complaint(&insula(&["config", "check"], &domain), 78).starts_with("insula: INSULA_COOKIE_DOMAIN: ")
    );
    for url in
        ["postgresql+psycopg://u:p@[::1]:5432/x", "postgres:///x?host=/run/postgresql", "sqlite:///./x.db"]
    {
        assert!(insula(&["config", "check"], &[("DATABASE_URL", url)]).status.success(), "{url}");
    }
}

#[test]
fn a_database_that_is_away_is_named_at_once() {
    for (url, place) in [
        ("postgres://insula:hunter2@127.0.0.1:1/x", "127.0.0.1 port 1"),
        ("postgresql+psycopg://insula:hunter2@[::1]:1/x", "::1 port 1"),
        ("postgres:///x?host=/nowhere/at/all", "/nowhere/at/all"),
    ] {
        for command in [&["serve", "--port", "0"][..], &["migrate", "up"], &["migrate", "status"]] {
            let began = Instant::now();
            let envs = [("DATABASE_URL", url), ("RUST_LOG", "off")];
            let message = complaint(&insula(command, &envs), 69);
            assert!(
                message.starts_with("insula: DATABASE_URL: ") && message.contains(place),
                "{command:?} {message}"
            );
            assert!(
                !message.contains("hunter2") && began.elapsed() < Duration::from_secs(8),
                "{command:?} {message}"
            );
        }
        let envs = [("INSULA_MIGRATION_DATABASE_URL", url), ("RUST_LOG", "off")];
        let message = complaint(&insula(&["migrate", "up"], &envs), 69);
        assert!(message.starts_with("insula: INSULA_MIGRATION_DATABASE_URL: "), "{message}");
    }
}

/// What `config print` says of a setting in a folder with this `.env`.
fn of_env(text: &[u8], name: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), text).unwrap();
    let output = run_in(folder.path(), &["config", "print"], &[]);
    if !output.status.success() {
        return Err(complaint(&output, 78));
    }
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = printed.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    Ok(line.split_once(" .env ").unwrap().1.trim().to_owned())
}

#[test]
fn quotes_and_comments_of_a_dotenv_file_are_parsed() {
    for (line, value) in [
        ("INSULA_MAIL_FROM=Acme <hello@acme.example>", "Acme <hello@acme.example>"),
        ("INSULA_MAIL_FROM=$HOME/${X}$1 # of us", "$HOME/${X}$1"),
        ("INSULA_MAIL_FROM='a # b'", "a # b"),
        ("export INSULA_MAIL_FROM = \"a \\\"b\\\" # c\" # of us", "a \"b\" # c"),
        ("INSULA_MAIL_FROM=a#b", "a#b"),
    ] {
        assert_eq!(of_env(line.as_bytes(), "INSULA_MAIL_FROM").as_deref(), Ok(value), "{line}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_named_by_number_and_never_shown() {
    for bad in [&b"hunter2"[..], b"INSULA SECRET=hunter2", b"INSULA_SECRET_KEY='hunter2", b"X=\xffhunter2"] {
        let text = [b"# settings\n\n", bad, b"\n"].concat();
        let message = of_env(&text, "X").unwrap_err();
        assert!(message.starts_with("insula: .env: line 3: ") && !message.contains("hunter2"), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("insula.toml");
    std::fs::write(&file, "bind = \"127.0.0.1:0\"\nsecret_key = \"hunter2\n").unwrap();
    let message = complaint(&insula(&["config", "check", "--config", file.to_str().unwrap()], &[]), 78);
    assert!(message.contains("line 2") && !message.contains("hunter2"), "{message}");
}

#[test]
fn what_kubernetes_sets_for_services_is_passed_over() {
    let services = [
        ("INSULA_SERVICE_HOST", "10.96.0.7"),
        ("INSULA_SERVICE_PORT", "8080"),
        ("INSULA_SERVICE_PORT_HTTP", "8080"),
        ("INSULA_PORT", "tcp://10.96.0.7:8080"),
        ("INSULA_PORT_8080_TCP", "tcp://10.96.0.7:8080"),
        ("INSULA_PORT_8080_TCP_PROTO", "tcp"),
        ("INSULA_PORT_8080_TCP_PORT", "8080"),
        ("INSULA_PORT_8080_TCP_ADDR", "10.96.0.7"),
        ("INSULA_API_SERVICE_HOST", "fd00::7"),
        ("INSULA_API_PORT", "udp://[fd00::7]:53"),
        ("INSULA_SECRET_KEY", KEY),
    ];
    assert!(insula(&["config", "check"], &services).status.success());
    for name in ["INSULA_PORT", "INSULA_SERVICE", "INSULA_PORT_8080_TCP"] {
        let message = complaint(&insula(&["config", "check"], &[(name, "8080")]), 78);
        assert!(message.starts_with(&format!("insula: {name}: unknown")), "{message}");
    }
}

#[test]
fn a_product_name_is_short_and_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str| run_in(folder.path(), &["config", "check"], &[("INSULA_PRODUCT_NAME", name)]);
    for name in ["A", "Müller & Söhne", &"é".repeat(50)] {
        assert!(check(name).status.success(), "{name}");
    }
    for name in [" Acme", "Acme\nLtd", "Acme\u{7}", &"é".repeat(51)] {
        let told = complaint(&check(name), 78);
        assert!(told.contains("INSULA_PRODUCT_NAME") && told.contains("1 to 50 characters"), "{told}");
    }
}

#[test]
fn a_wrong_logo_or_colour_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, value: &str| run_in(folder.path(), &["config", "check"], &[(name, value)]);
    for color in ["blue", "#12345", "rgb(0, 0, 0)", "#1234567"] {
        let told = complaint(&check("INSULA_ACCENT_COLOR", color), 78);
        assert!(told.contains("INSULA_ACCENT_COLOR") && told.contains("#1f6feb"), "{told}");
    }
    // Every colour can be made readable.
    for color in ["#ffffff", "#000000", "#FFFF00"] {
        assert!(check("INSULA_ACCENT_COLOR", color).status.success(), "{color}");
    }
    for (name, content) in [
        ("script.svg", &b"<svg><script>alert(1)</script></svg>"[..]),
        ("page.svg", b"<html></html>"),
        ("photo.jpg", b"\xff\xd8\xff\xe0"),
        ("huge.png", &[&b"\x89PNG\r\n\x1a\n"[..], &[0; 65_536]].concat()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
        let told = complaint(&check("INSULA_LOGO_FILE", name), 78);
        assert!(told.contains("INSULA_LOGO_FILE") && told.contains("PNG"), "{name}: {told}");
    }
    complaint(&check("INSULA_LOGO_FILE", "missing.svg"), 78);
    std::fs::write(folder.path().join("logo.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
    assert!(check("INSULA_LOGO_FILE", "logo.svg").status.success());
}

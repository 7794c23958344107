//! `insula email test`, the dev inbox, and e-mail settings that stop a server from starting.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use insula_tests::{Server, TestEnv, insula};
use serde_json::json;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A free port of this machine.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_test_email_goes_to_the_folder_and_each_step_is_printed() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mails");
    let envs = [
        ("INSULA_MAIL_FOLDER", folder.to_str().unwrap()),
        ("INSULA_PUBLIC_URL", "https://insula.example"),
        ("INSULA_MAIL_FROM", "Acme <hello@acme.example>"),
        ("INSULA_PRODUCT_NAME", "Acme"),
    ];
    let output = insula(&["email", "test", "ada@example.com"], &envs);
    assert!(output.status.success(), "{output:?}");
    let printed = text(&output.stdout);
    assert!(
        printed.contains("writing to the folder") && printed.contains("sent to ada@example.com"),
        "{printed}"
    );
    let files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let mail = std::fs::read_to_string(&files[0]).unwrap();
    for header in [
        "From: Acme <hello@acme.example>",
        "To: ada@example.com",
        "Subject: Test e-mail from Acme",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(mail.lines().any(|line| line == header), "{header}: {mail}");
    }
    let (id, _) = files[0].file_name().unwrap().to_str().unwrap().split_once('.').unwrap();
    let message_id = format!("<{id}@insula.example>");
    assert!(printed.contains(&message_id) && mail.contains(&message_id), "{printed}{mail}");
}

#[test]
fn a_failed_test_email_prints_advice_and_no_password() {
    let url = format!("smtp://user:hunter2@127.0.0.1:{}", closed_port());
    let output = insula(&["email", "test", "ada@example.com"], &[("INSULA_SMTP_URL", &url)]);
    let (printed, complaint) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(69), "{printed}{complaint}");
    assert!(printed.contains("the mail server 127.0.0.1") && printed.contains("connecting to"), "{printed}");
    assert!(complaint.contains("refused") && complaint.contains("check host and port"), "{complaint}");
    assert!(!(printed + &complaint).contains("hunter2"));

    let output =
        insula(&["email", "test", "ada@example.com"], &[("INSULA_SMTP_URL", "smtp://nowhere.invalid")]);
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output.stderr).contains("DNS"), "{output:?}");
}

/// Mail servers look the name up, and many refuse clients without one.
#[test]
fn ehlo_has_the_name_of_the_installation() {
    let home = ("INSULA_PUBLIC_URL", "https://app.acme.example:8443");
    let domain = ("INSULA_MAIL_DOMAIN", "acme.example");
    for (envs, name) in [
        (vec![home], "app.acme.example"),
        (vec![home, domain], "acme.example"),
        (vec![home, domain, ("INSULA_MAIL_HELO", "mx1.acme.example")], "mx1.acme.example"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("smtp://{address}?tls=none");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 mail.example\r\n").unwrap();
            let mut greeting = String::new();
            BufReader::new(stream).read_line(&mut greeting).unwrap();
            greeting
        });
        let envs = [&envs[..], &[("INSULA_SMTP_URL", &*url)]].concat();
        let output = insula(&["email", "test", "ada@example.com"], &envs);
        assert!(!output.status.success(), "the server hangs up: {output:?}");
        // Without a client, the end of the server is not waited for.
        drop(TcpStream::connect(address));
        assert_eq!(server.join().unwrap(), format!("EHLO {name}\r\n"));
    }
}

#[test]
fn an_invalid_email_configuration_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates");
    std::fs::create_dir_all(templates.join("en")).unwrap();
    std::fs::write(templates.join("en/verify.txt"), "Subject: Hello\n\n{{ nmae }}\n").unwrap();
    let templates = templates.to_str().unwrap();
    for (envs, named) in [
        (vec![], "INSULA_SMTP_URL"),
        (vec![("INSULA_SMTP_URL", "smtp://user:hunter2@")], "INSULA_SMTP_URL: expected"),
        (vec![("INSULA_SMTP_URL", "smtp://user:hunter2@mail.example?tls=no")], "INSULA_SMTP_URL: expected"),
        (vec![("INSULA_MAIL_FROM", "nobody")], "INSULA_MAIL_FROM: expected"),
        (vec![("INSULA_MAIL_TEMPLATES", templates)], "en/verify.txt, line 3:"),
    ] {
        let output = insula(&["email", "test", "ada@example.com"], &envs);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{complaint}");
        assert!(complaint.contains(named) && !complaint.contains("hunter2"), "{complaint}");
    }
    assert_eq!(insula(&["email", "test", "nobody"], &[]).status.code(), Some(1));
    assert_eq!(insula(&["email"], &[]).status.code(), Some(2));
}

#[tokio::test]
async fn an_unreachable_mail_server_does_not_stop_the_start() {
    let url = format!("smtp://127.0.0.1:{}", closed_port());
    let server = Server::builder().env("INSULA_SMTP_URL", &url).start().await;
    let new = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    server.client().post("/api/v1/auth/register", new).await.expect(201);
}

#[tokio::test]
async fn an_email_folder_counts_as_a_mail_server() {
    let env = TestEnv::new().await;
    let folder = env.folder().join("mails");
    let start = Server::builder().test_env(&env).env("INSULA_MAIL_FOLDER", folder.to_str().unwrap());
    let server = start.env("INSULA_HIDE_EXISTING_ACCOUNTS", "true").start().await;
    let new = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    server.client().post("/api/v1/auth/register", new).await.expect(202);
}

#[tokio::test]
async fn the_dev_inbox_is_a_page_and_a_list() {
    let server = Server::start().await;
    let page = server.client().get("/dev/mail").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("script"), "{policy}");
    assert!(page.text().contains("mail.css") && !page.text().contains("style="), "{}", page.text());
    assert_eq!(server.client().get("/dev/mail.css").await.status, 200);
    let list = server.client().get("/dev/mail").header("accept", "application/json").await;
    assert!(list.expect(200)["data"].is_array());
    server.client().get("/dev/mail/0190a0b0-0000-7000-8000-000000000000").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_server_that_sends_emails_has_no_dev_inbox() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV";
    let leaves = [("INSULA_SMTP_URL", "smtp://127.0.0.1:1")];
    let files = [("INSULA_MAIL_FOLDER", folder.path().to_str().unwrap())];
    let production = [
        ("INSULA_ENVIRONMENT", "production"),
        ("INSULA_SECRET_KEY", secret),
        ("INSULA_PUBLIC_URL", "https://insula.example"),
        ("INSULA_MIGRATE_ON_START", "true"),
        ("INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "false"),
        ("INSULA_DRAIN_DELAY", "0"),
    ];
    for envs in [&leaves[..], &files, &production] {
        let server = envs.iter().fold(Server::builder(), |start, (name, value)| start.env(name, value));
        let server = server.start().await;
        for path in ["/dev/mail", "/dev/mail/0190a0b0-0000-7000-8000-000000000000", "/dev/mail.css"] {
            server.client().get(path).await.problem(404, "NOT_FOUND");
        }
    }
}

use std::{path::Path, time::Duration};

use insula_core::{
    base::crypto::{MasterKey, Secret},
    lifecycle::email_content::Link,
    runtime::config::Sources,
};

use super::*;

const URL: &str = "https://insula.example/";

fn open(settings: &[(&str, &str)], memory: Option<DevInbox>) -> Result<Mailer, ConfigError> {
    let config = Config::read(&Sources::only(settings)).unwrap();
    let mail = EmailTokens::new(&MasterKey::new("k".repeat(32)), &config);
    Mailer::open(&config, mail, URL, memory, RateLimiter::new(&config, None))
}

fn content() -> EmailContent {
    let now = Clock::System.now();
    let url = Secret::new("https://insula.example/reset#token=abc-_1".to_owned());
    EmailContent {
        to: "ada@example.com".into(),
        template: Template::Reset,
        locale: "en".into(),
        name: None,
        link: Some(Link { url, lifetime: Duration::from_secs(1800), expires_at: now }),
        device: None,
        until: None,
        invitation: None,
    }
}

async fn send(mailer: &Mailer, id: JobId) -> Result<(), DeliveryFailure> {
    mailer.0.send(id, &TraceContext::random(), &content(), Clock::System.now(), &|_| {}).await
}

fn files(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test]
async fn a_folder_gets_one_file_per_email_even_if_sent_twice() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/mails");
    let mailer =
        open(&[("INSULA_MAIL_FOLDER", folder.to_str().unwrap())], Some(DevInbox::default())).unwrap();
    let id = JobId::new(Clock::System.now());
    for _ in 0..2 {
        send(&mailer, id).await.unwrap();
    }
    assert_eq!(files(&folder), [format!("{id}.eml")]);
    let mail = std::fs::read_to_string(folder.join(format!("{id}.eml"))).unwrap();
    assert!(mail.contains(&format!("Message-ID: <{id}@insula.example>\r\n")), "{mail}");
    assert!(mail.contains("From: Insula <no-reply@insula.example>\r\n"), "{mail}");
    // An operator must create a missing folder again.
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(send(&mailer, id).await.unwrap_err().status, DeliveryStatus::Deferred);
}

#[tokio::test]
async fn memory_stores_emails_without_a_transport_except_in_production() {
    let mailbox = DevInbox::default();
    let mailer = open(&[("INSULA_PRODUCT_NAME", "Acme")], Some(mailbox.clone())).unwrap();
    let id = JobId::new(Clock::System.now());
    send(&mailer, id).await.unwrap();
    let captured = mailbox.list();
    assert!(
        mailer.sends() && captured.len() == 1 && captured[0].id == id && captured[0].to == "ada@example.com"
    );
    assert!(
        captured[0].text.contains("Acme\naccount. Use this link")
            && captured[0].text.contains("#token=abc-_1"),
        "{}",
        captured[0].text
    );

    let production = [("INSULA_ENVIRONMENT", "production")];
    for mailer in [open(&production, Some(mailbox)), open(&[], None)].map(Result::unwrap) {
        let failure = send(&mailer, id).await.unwrap_err();
        assert_eq!(
            (mailer.sends(), failure.status, failure.text.as_str()),
            (false, DeliveryStatus::Suppressed, NOT_CONFIGURED)
        );
        assert!(mailer.send_test("ada@example.com", &|_| {}).await.unwrap_err().is_not_configured);
    }
}

#[test]
fn settings_that_prevent_emails_prevent_a_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("mails");
    for (name, value) in [
        ("INSULA_MAIL_FROM", "nobody"),
        ("INSULA_MAIL_FOLDER", below.to_str().unwrap()),
        ("INSULA_MAIL_TEMPLATES", below.to_str().unwrap()),
    ] {
        let errors = open(&[(name, value)], None).err().unwrap().0;
        assert!(errors.len() == 1 && errors[0].starts_with(name), "{errors:?}");
    }
}

#[test]
fn no_reason_tells_a_link() {
    let said = "554 5.7.1 https://insula.example/reset#token=abc-_1 is listed (token abc-_1)";
    assert_eq!(without_secrets(said.into(), &content()), "554 5.7.1 … is listed (token …)");
}

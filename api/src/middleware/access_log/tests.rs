use std::{
    io,
    sync::{Mutex, Once},
};

use poem::http::Method;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::test_api::{self, ID, request};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The log lines of one request.
async fn log(request: Request) -> Vec<Value> {
    // A call site first reached by another test, in a thread without a subscriber, would stay disabled
    // (tracing-core keeps the interest of the first thread while there is only one subscriber).
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        drop(tracing::subscriber::set_global_default(tracing_subscriber::registry()));
    });
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(lines.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    test_api::send(request).await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_request_is_one_line_without_confidential_data() {
    let path = "/api/v1/organizations/acme/projects?tag=secret";
    let log = log(request(Method::GET, path).header("x-secret", "secret").finish()).await;
    let [line] = &*log else { panic!("{log:?}") };
    let fields = &line["fields"];
    // The request id occurs once, as a field of the line itself.
    assert_eq!((line["target"].as_str(), &line["span"]), (Some("insula::access"), &Value::Null));
    assert_eq!(line.to_string().matches("request_id").count(), 1, "{line}");
    assert_eq!(fields["path"], "/api/v1/organizations/{org}/projects");
    assert_eq!((fields["method"].as_str(), fields["status"].as_u64()), (Some("GET"), Some(200)));
    assert_eq!((fields["request_id"].as_str(), fields["user_id"].as_str()), (Some("test"), Some(ID)));
    let ms = fields["ms"].as_f64().unwrap();
    assert!((ms * 10.0 - (ms * 10.0).round()).abs() < 1e-6, "{ms}");
    assert!(!line.to_string().contains("secret"));
}

#[tokio::test]
async fn server_errors_are_logged_once_with_details_only_in_the_log() {
    for (how, words) in [
        ("broken", "the secret of the program"),
        ("poem", "a secret"),
        ("panic", "the secret of the handler"),
    ] {
        let log = log(request(Method::GET, &format!("/api/v1/failures/{how}")).finish()).await;
        let errors: Vec<_> = log.iter().filter(|line| line["level"] == "ERROR").collect();
        assert_eq!(
            errors.iter().filter(|line| line.to_string().contains(words)).count(),
            1,
            "{how}: {log:?}"
        );
        assert!(errors.iter().all(|line| line["span"]["request_id"] == "test"), "{log:?}");
    }
}

#[tokio::test]
async fn refused_requests_are_no_errors() {
    let log = log(request(Method::GET, "/nowhere?secret").finish()).await;
    let [line] = &*log else { panic!("{log:?}") };
    assert_eq!((line["level"].as_str(), line["fields"]["path"].as_str()), (Some("INFO"), Some("/nowhere")));
}

#[test]
fn an_unknown_path_is_escaped_and_shortened_or_hidden() {
    assert_eq!(UnknownPaths::Hidden.line("/nowhere"), "-");
    assert_eq!(UnknownPaths::Shown.line("/no\n\u{1b}[31mwhere"), "/no\\n\\u{1b}[31mwhere");
    assert_eq!(UnknownPaths::Shown.line(&"/x".repeat(5000)).len(), 200);
}

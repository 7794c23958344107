//! The trace id of a request, without an export: it is shown in the problem, the access log and the audit log, stored with
//! the job, and sent with the e-mail.

use insula_tests::{Inbox, Server, eventually};
use serde_json::json;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const FORGOT: &str = "/api/v1/auth/password/forgot";

/// The trace id of the newest e-mail about a password reset for ada, which a request with this header causes.
async fn trace_of_reset(server: &Server, inbox: &Inbox, traceparent: &str) -> String {
    let forgot = server.client().post(FORGOT, json!({ "email": "ada@example.com" }));
    forgot.header("traceparent", traceparent).await.expect(202);
    let mail = inbox.last("send_password_reset").await;
    let header = mail.source.lines().find_map(|line| line.strip_prefix("Traceparent: "));
    header.unwrap_or_else(|| panic!("no header in {}", mail.source)).to_owned()
}

#[tokio::test]
async fn one_trace_id_goes_from_the_request_to_the_e_mail() {
    let server = Server::builder().with_mail().start_with_superuser();
    let (server, superuser) = server.await;
    server.client().register("ada@example.com").await;
    let (inbox, sent) = (Inbox::of(&server).await, format!("00-{TRACE}-b7ad6b7169203331-00"));
    assert_eq!(trace_of_reset(&server, &inbox, &sent).await, sent);
    let sql = "SELECT traceparent FROM outbox WHERE kind = 'send_password_reset'";
    assert_eq!(server.database().await.text(sql).await, sent);
    eventually("the delivery record names the trace", async || {
        let emails = superuser.get("/api/v1/admin/emails?template=reset").await.expect(200);
        emails["data"][0]["trace_id"] == TRACE
    })
    .await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains(FORGOT)).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(TRACE), "{line}");
}

#[tokio::test]
async fn a_problem_names_the_trace_of_its_request() {
    let server = Server::shared().await;
    let refused = async |traceparent: &str| {
        let request = server.client().get("/api/v1/users/me").header("traceparent", traceparent);
        let problem = request.await.problem(401, "UNAUTHENTICATED");
        problem["trace_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(&format!("00-{TRACE}-b7ad6b7169203331-01")).await, TRACE);
    let zero = "0".repeat(32);
    for malformed in [
        "nonsense",
        &format!("00-{TRACE}"),
        &format!("00-{TRACE}-0000000000000000-01"),
        &format!("00-{zero}-b7ad6b7169203331-01"),
        &format!("ff-{TRACE}-b7ad6b7169203331-01"),
        &format!("00-{TRACE}-b7ad6b7169203331-01-{}", "x".repeat(8000)),
    ] {
        let id = refused(malformed).await;
        let is_hex = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hex && id != TRACE && id != zero, "{malformed:?} became {id}");
        assert_ne!(refused(malformed).await, id, "each request without a valid header is its own trace");
    }
}

#[tokio::test]
async fn a_new_trace_is_shown_in_the_log_and_in_the_audit_log() {
    let server = Server::builder().start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let events = ada.get("/api/v1/organizations/acme/audit-events").await.expect(200);
    let events = events["data"].as_array().unwrap();
    let traces: Vec<_> = events.iter().map(|event| event["trace_id"].as_str().unwrap()).collect();
    let log = server.log();
    assert!(!traces.is_empty() && traces.iter().all(|trace| log.contains(trace)), "{traces:?}\n{log}");
}

//! What must not be in an exported span or log line.

use insula_tests::{Browser, Inbox, OtlpReceiver, OtlpTransport, PASSWORD, eventually, set_cookies};
use serde_json::json;

use super::exporting;

#[tokio::test]
async fn spans_and_logs_contain_no_personal_data_and_no_secrets() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let server = exporting(&receiver).with_mail().env("OTEL_METRIC_EXPORT_INTERVAL", "100").start().await;
    let ada = server.client().register("ada@example.com").await;
    let inbox = Inbox::of(&server).await;
    inbox.verify_email(&server.client(), "ada@example.com").await;
    let reset = inbox.last("send_password_reset").await;
    let ada = ada.log_in("ada@example.com", PASSWORD).await;
    let (_, cookies) = Browser::log_in(&server.client(), &server.url(""), "ada@example.com").await;
    ada.create_organization("acme").await;
    let projects = "/api/v1/organizations/acme/projects";
    ada.post(projects, json!({ "code": "ENGINE", "name": "Difference" })).await.expect(201);
    ada.get(&format!("{projects}?secret=hunter2")).await.expect(422);
    ada.get("/hunter2/ada@example.com").header("user-agent", "hunter2").await.expect(404);
    let header = "tea".repeat(2_000);
    ada.get(projects).header("x-tea", &header).header("tracestate", &header).await.expect(200);
    ada.request("BREW", projects).await.expect(405);
    let wrong = json!({ "email": "ada@example.com", "password": "hunter2" });
    server.client().post("/api/v1/auth/login", wrong).await.expect(401);
    eventually("spans and metrics", async || {
        let (spans, metrics) = (receiver.spans(), receiver.metrics());
        spans.iter().any(|span| span.name == "smtp send")
            && spans.iter().any(|span| span.name == "INSERT projects")
            && spans.iter().filter(|span| span.name == "POST /api/v1/auth/login").count() >= 3
            && spans.iter().any(|span| span.attribute("http.request.method") == "_OTHER")
            && metrics.iter().any(|name| name == "http.server.request.duration")
            && receiver
                .logs()
                .iter()
                .any(|line| line.attributes.get("method").is_some_and(|method| method == "_OTHER"))
    })
    .await;
    let text = receiver.text();
    let mut secrets =
        vec!["ada@", "example.com", PASSWORD, "hunter2", "Difference", "ENGINE", "teatea", "BREW"];
    let hash = server.database().await.text("SELECT secret_hash FROM credentials").await;
    let cookies = set_cookies(&cookies);
    let values = cookies.iter().filter_map(|cookie| cookie.split([';', '=']).nth(1));
    secrets.extend([&*hash, &*reset.token, ada.token()]);
    secrets.extend(values.filter(|value| !value.is_empty()));
    assert!(secrets.len() >= 13, "the cookies were set: {secrets:?}");
    for secret in secrets {
        assert!(!text.contains(secret), "an export contains {secret}");
    }
}

//! The names of metrics, as Prometheus shows them.

use opentelemetry_sdk::metrics::ManualReader;

use super::*;

#[test]
fn metrics_have_the_names_that_dashboards_use() {
    for _ in 0..2 {
        let resource = Resource::builder_empty().with_service_name("insula").build();
        init(resource, None::<ManualReader>).unwrap();
    }
    spans_dropped("queue_full", 2);
    request_answered("GET", Some("/api/v1/metrics-test/{id}"), 503, 0.02);
    request_answered("BREW", None, 404, 0.02);
    job_finished("mail", "brew", JobOutcome::Done, 0.5);
    job_finished("mail", "brew", JobOutcome::Retry("deferred"), 0.5);
    job_finished("mail", "brew", JobOutcome::Dead("bounced"), 0.5);
    request_shed();
    jobs_lease_expired("tea", 3);
    jobs_counted("tea", "pending", 7);
    jobs_counted("tea", "pending", 0);
    oldest_job("tea", 12.5);
    sessions_counted(4);
    let first = ActiveRequest::start("GET");
    drop(ActiveRequest::start("GET"));
    email("tea", "sent");
    schedule_finished("brew", true, 5, 0.05);
    schedule_finished("brew", false, 1, 0.05);
    let text = render();
    drop(first);
    assert!(
        render().contains(r#"http_server_active_requests{http_request_method="GET",url_scheme="http"} 0"#)
    );
    for line in [
        r#"http_server_request_duration_seconds_count{error_type="503",http_request_method="GET",http_response_status_code="503",http_route="/api/v1/metrics-test/{id}",url_scheme="http"} 1"#,
        r#"http_server_request_duration_seconds_bucket{http_request_method="_OTHER",http_response_status_code="404",url_scheme="http",le="0.025"} 1"#,
        r#"http_server_active_requests{http_request_method="GET",url_scheme="http"} 1"#,
        "insula_sessions_active 4",
        "insula_requests_shed_total ",
        r#"messaging_process_duration_seconds_count{messaging_destination_name="mail",messaging_operation_name="brew",messaging_system="insula"} 1"#,
        r#"insula_jobs_retries_total{messaging_destination_name="mail",messaging_operation_name="brew"} 1"#,
        r#"insula_jobs_dead_total{messaging_destination_name="mail",messaging_operation_name="brew"} 1"#,
        r#"insula_jobs_lease_expired_total{messaging_destination_name="tea"} 3"#,
        r#"insula_jobs_depth{queue="tea",state="pending"} 0"#,
        r#"insula_jobs_oldest_pending_age_seconds{queue="tea"} 12.5"#,
        r#"insula_emails_total{status="sent",template="tea"} 1"#,
        r#"insula_schedule_runs_total{name="brew",outcome="failed"} 1"#,
        r#"insula_schedule_rows_total{name="brew"} 6"#,
        r#"insula_schedule_duration_seconds_count{name="brew"} 2"#,
        r#"insula_traces_dropped_total{reason="queue_full"} 2"#,
        r#"service_name="insula""#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

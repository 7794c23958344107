//! Dashboards of background work: jobs, e-mails, audit logs.

use super::{Dashboard, panel};

/// The dashboard `workers`.
pub(super) const WORKERS: Dashboard = Dashboard {
    name: "workers",
    title: "Insula / Workers and mail",
    panels: &[
        panel(
            "Pending and dead jobs",
            "short",
            &[("{{queue}} {{state}}", "max by (queue, state) (insula_jobs_depth{@})")],
        ),
        panel(
            "Age of the oldest due job",
            "s",
            &[("{{queue}}", "max by (queue) (insula_jobs_oldest_pending_age_seconds{@})")],
        ),
        panel(
            "Job attempts by kind",
            "ops",
            &[(
                "{{messaging_operation_name}}",
                "sum by (messaging_operation_name) (rate(messaging_process_duration_seconds_count{@}[$__rate_interval]))",
            )],
        ),
        panel(
            "Duration of job attempts (p95)",
            "s",
            &[(
                "{{messaging_destination_name}}",
                "histogram_quantile(0.95, sum by (le, messaging_destination_name) (rate(messaging_process_duration_seconds_bucket{@}[$__rate_interval])))",
            )],
        ),
        panel(
            "Retries, failures and expired leases",
            "ops",
            &[
                ("retries", "sum(rate(insula_jobs_retries_total{@}[$__rate_interval])) or vector(0)"),
                ("dead", "sum(rate(insula_jobs_dead_total{@}[$__rate_interval])) or vector(0)"),
                (
                    "expired leases",
                    "sum(rate(insula_jobs_lease_expired_total{@}[$__rate_interval])) or vector(0)",
                ),
            ],
        ),
        panel(
            "E-mails by status",
            "ops",
            &[("{{status}}", "sum by (status) (rate(insula_emails_total{@}[$__rate_interval]))")],
        ),
        panel(
            "E-mails by template",
            "ops",
            &[("{{template}}", "sum by (template) (rate(insula_emails_total{@}[$__rate_interval]))")],
        ),
        panel(
            "Periodic work",
            "ops",
            &[(
                "{{name}} {{outcome}}",
                "sum by (name, outcome) (rate(insula_schedule_runs_total{@}[$__rate_interval]))",
            )],
        ),
        panel(
            "Duration of periodic work (p95)",
            "s",
            &[(
                "{{name}}",
                "histogram_quantile(0.95, sum by (le, name) (insula_schedule_duration_seconds_bucket{@}))",
            )],
        ),
        panel(
            "Rows removed by periodic work",
            "ops",
            &[("{{name}}", "sum by (name) (rate(insula_schedule_rows_total{@}[$__rate_interval]))")],
        ),
    ],
};

/// The dashboard `audit`.
pub(super) const AUDIT: Dashboard = Dashboard {
    name: "audit",
    title: "Insula / Audit",
    panels: &[
        panel(
            "Age of the oldest event without a seal",
            "s",
            &[("all", "max(insula_audit_flush_lag_seconds{@})")],
        ),
        panel(
            "Sealed events",
            "ops",
            &[("{{instance}}", "sum by (instance) (rate(insula_audit_sealed_total{@}[$__rate_interval]))")],
        ),
        panel(
            "Removed events (retention)",
            "ops",
            &[(
                "events",
                r#"sum(rate(insula_schedule_rows_total{@,name="prune-audit-logs"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Requests to audit logs",
            "reqps",
            &[(
                "{{http_route}}",
                r#"sum by (http_route) (rate(http_server_request_duration_seconds_count{@,http_route=~".*audit.*"}[$__rate_interval]))"#,
            )],
        ),
    ],
};

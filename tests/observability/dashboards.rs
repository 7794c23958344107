//! The Grafana dashboards of `deploy/observability/dashboards/`, as tables. `observability write` writes the files.
//!
//! In a query, `{@}` selects the processes that the viewer chose, and `{@,…}` does so with more conditions.

use serde_json::{Value, json};

/// One dashboard.
pub(crate) struct Dashboard {
    /// The name of the file without `.json`.
    pub(crate) name: &'static str,
    title: &'static str,
    pub(crate) panels: &'static [Panel],
}

/// One graph: its title, the unit as Grafana calls it, and the queries with their legends.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, unit, queries }
}

/// What `@` stands for.
const SELECTION: &str = r#"job=~"$job",instance=~"$instance""#;

/// Every dashboard.
pub(crate) const DASHBOARDS: &[Dashboard] = &[
    Dashboard {
        name: "slo",
        title: "Insula / SLO overview",
        panels: &[
            panel(
                "Failed requests (5xx); the objective is 0.1 %",
                "percentunit",
                &[
                    ("5 minutes", "insula:http_errors:ratio_rate5m"),
                    ("1 hour", "insula:http_errors:ratio_rate1h"),
                    ("3 days", "insula:http_errors:ratio_rate3d"),
                ],
            ),
            panel(
                "Requests slower than 0.5 s; the objective is 1 %",
                "percentunit",
                &[
                    ("5 minutes", "insula:http_slow:ratio_rate5m"),
                    ("1 hour", "insula:http_slow:ratio_rate1h"),
                    ("3 days", "insula:http_slow:ratio_rate3d"),
                ],
            ),
            panel(
                "Error budget of 3 days that is left",
                "percentunit",
                &[
                    ("failures", "1 - insula:http_errors:ratio_rate3d / 0.001"),
                    ("latency", "1 - insula:http_slow:ratio_rate3d / 0.01"),
                ],
            ),
            panel(
                "Active alerts",
                "none",
                &[("{{alertname}}", r#"sum by (alertname) (ALERTS{alertstate="firing"}) or vector(0)"#)],
            ),
        ],
    },
    Dashboard {
        name: "api",
        title: "Insula / API",
        panels: &[
            panel(
                "Requests by route",
                "reqps",
                &[(
                    "{{http_request_method}} {{http_route}}",
                    "sum by (http_request_method, http_route) (rate(http_server_request_duration_seconds_count{@}[$__rate_interval]))",
                )],
            ),
            panel(
                "Share of failed requests (5xx)",
                "percentunit",
                &[(
                    "5xx",
                    r#"(sum(rate(http_server_request_duration_seconds_count{@,http_response_status_code=~"5.."}[$__rate_interval])) or vector(0)) / sum(rate(http_server_request_duration_seconds_count{@}[$__rate_interval]))"#,
                )],
            ),
            panel(
                "Duration of all requests",
                "s",
                &[
                    (
                        "p50",
                        "histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket{@}[$__rate_interval])))",
                    ),
                    (
                        "p95",
                        "histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket{@}[$__rate_interval])))",
                    ),
                    (
                        "p99",
                        "histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{@}[$__rate_interval])))",
                    ),
                ],
            ),
            panel(
                "Duration by route (p95)",
                "s",
                &[(
                    "{{http_route}}",
                    "histogram_quantile(0.95, sum by (le, http_route) (rate(http_server_request_duration_seconds_bucket{@}[$__rate_interval])))",
                )],
            ),
            panel(
                "Responses by status",
                "reqps",
                &[(
                    "{{http_response_status_code}}",
                    "sum by (http_response_status_code) (rate(http_server_request_duration_seconds_count{@}[$__rate_interval]))",
                )],
            ),
            // By Little's law, the time that requests take per second is the number of requests in progress.
            panel(
                "Requests in progress (average)",
                "short",
                &[(
                    "{{instance}}",
                    "sum by (instance) (rate(http_server_request_duration_seconds_sum{@}[$__rate_interval]))",
                )],
            ),
            panel(
                "Rejected requests",
                "reqps",
                &[
                    (
                        "overload (503)",
                        "sum(rate(insula_requests_shed_total{@}[$__rate_interval])) or vector(0)",
                    ),
                    (
                        "rate limit (429)",
                        r#"sum(rate(http_server_request_duration_seconds_count{@,http_response_status_code="429"}[$__rate_interval])) or vector(0)"#,
                    ),
                ],
            ),
        ],
    },
    Dashboard {
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
    },
    Dashboard {
        name: "database",
        title: "Insula / Database and Redis",
        panels: &[
            panel(
                "Connections",
                "short",
                &[
                    (
                        "{{instance}} {{db_client_connection_pool_name}} {{db_client_connection_state}}",
                        "db_client_connection_count{@}",
                    ),
                    (
                        "{{instance}} {{db_client_connection_pool_name}} maximum",
                        "db_client_connection_max{@}",
                    ),
                ],
            ),
            panel(
                "Used share of the pool",
                "percentunit",
                &[(
                    "{{instance}}",
                    r#"sum by (instance) (db_client_connection_count{@,db_client_connection_state="used"}) / sum by (instance) (db_client_connection_max{@})"#,
                )],
            ),
            panel(
                "Wait for a connection (p95)",
                "s",
                &[(
                    "{{instance}}",
                    "histogram_quantile(0.95, sum by (le, instance) (rate(db_client_connection_wait_time_seconds_bucket{@}[$__rate_interval])))",
                )],
            ),
            panel(
                "Transactions",
                "ops",
                &[(
                    "{{instance}}",
                    "sum by (instance) (rate(db_client_connection_wait_time_seconds_count{@}[$__rate_interval]))",
                )],
            ),
            panel(
                "Waiting transactions",
                "short",
                &[(
                    "{{instance}} {{db_client_connection_pool_name}}",
                    "db_client_connection_pending_requests{@}",
                )],
            ),
            panel(
                "Time-outs of the pool",
                "ops",
                &[(
                    "{{instance}}",
                    "sum by (instance) (rate(db_client_connection_timeouts_total{@}[$__rate_interval]))",
                )],
            ),
            panel("Connected to Redis", "none", &[("{{instance}}", "insula_redis_connected{@}")]),
            panel(
                "Duration of scripts in Redis (p95)",
                "s",
                &[(
                    "{{instance}}",
                    r#"histogram_quantile(0.95, sum by (le, instance) (rate(db_client_operation_duration_seconds_bucket{@,db_system_name="redis"}[$__rate_interval])))"#,
                )],
            ),
            panel(
                "Scripts in Redis",
                "ops",
                &[
                    ("all", "sum(rate(db_client_operation_duration_seconds_count{@}[$__rate_interval]))"),
                    (
                        "failed",
                        r#"sum(rate(db_client_operation_duration_seconds_count{@,error_type!=""}[$__rate_interval])) or vector(0)"#,
                    ),
                ],
            ),
        ],
    },
    Dashboard {
        name: "tenancy",
        title: "Insula / Tenancy and auth",
        panels: &[
            panel(
                "Logins by outcome",
                "ops",
                &[(
                    "{{method}} {{outcome}}",
                    "sum by (method, outcome) (rate(insula_auth_logins_total{@}[$__rate_interval]))",
                )],
            ),
            panel(
                "Throttled logins",
                "ops",
                &[(
                    "{{outcome}}",
                    r#"sum by (outcome) (rate(insula_auth_logins_total{@,outcome="RATE_LIMITED"}[$__rate_interval])) or vector(0)"#,
                )],
            ),
            panel(
                "Requests above a rate limit",
                "ops",
                &[(
                    "{{policy}}",
                    r#"sum by (policy) (rate(insula_rate_limit_decisions_total{@,outcome="refused"}[$__rate_interval])) or vector(0)"#,
                )],
            ),
            panel(
                "Rate limit decisions",
                "ops",
                &[(
                    "{{policy}}",
                    "sum by (policy) (rate(insula_rate_limit_decisions_total{@}[$__rate_interval]))",
                )],
            ),
            panel(
                "Requests without permission (401, 403, 404)",
                "reqps",
                &[(
                    "{{http_response_status_code}}",
                    r#"sum by (http_response_status_code) (rate(http_server_request_duration_seconds_count{@,http_response_status_code=~"401|403|404"}[$__rate_interval]))"#,
                )],
            ),
            panel(
                "Refreshed and ended sessions",
                "ops",
                &[(
                    "{{http_route}}",
                    r#"sum by (http_route) (rate(http_server_request_duration_seconds_count{@,http_route=~".*/auth/(refresh|logout|register|login)"}[$__rate_interval]))"#,
                )],
            ),
            panel(
                "Time until the key of access tokens is due to be replaced",
                "s",
                &[("{{instance}}", "insula_signing_key_rotation_due_seconds{@}")],
            ),
        ],
    },
    Dashboard {
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
                &[(
                    "{{instance}}",
                    "sum by (instance) (rate(insula_audit_sealed_total{@}[$__rate_interval]))",
                )],
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
    },
    Dashboard {
        name: "runtime",
        title: "Insula / Runtime",
        panels: &[
            panel(
                "CPU",
                "percentunit",
                &[("{{instance}} {{cpu_mode}}", "rate(process_cpu_time_seconds_total{@}[$__rate_interval])")],
            ),
            panel("Memory", "bytes", &[("{{instance}}", "process_memory_usage_bytes{@}")]),
            panel(
                "Open files and connections",
                "short",
                &[
                    ("{{instance}}", "process_unix_file_descriptor_count{@}"),
                    ("{{instance}} limit", "insula_process_file_descriptor_limit{@}"),
                ],
            ),
            panel(
                "Threads",
                "short",
                &[
                    ("{{instance}}", "process_thread_count{@}"),
                    ("{{instance}} async workers", "tokio_workers{@}"),
                ],
            ),
            panel(
                "Busy share of the async workers",
                "percentunit",
                &[(
                    "{{instance}}",
                    "rate(tokio_workers_busy_time_seconds_total{@}[$__rate_interval]) / tokio_workers{@}",
                )],
            ),
            panel(
                "Async tasks",
                "short",
                &[
                    ("{{instance}} alive", "tokio_tasks_alive{@}"),
                    ("{{instance}} waiting for any worker", "tokio_global_queue_depth{@}"),
                ],
            ),
            panel("Uptime", "s", &[("{{instance}}", "process_uptime_seconds{@}")]),
            panel(
                "Versions",
                "none",
                &[("{{service_version}}", "count by (service_version) (target_info{@})")],
            ),
            panel(
                "Servers that wait for migrations",
                "none",
                &[("{{instance}}", "insula_migrations_pending{@}")],
            ),
            panel("Answers to Prometheus", "none", &[("{{instance}}", "up{@}")]),
        ],
    },
];

impl Panel {
    /// The queries, with Grafana's variables.
    pub(crate) fn queries(&self) -> impl Iterator<Item = String> {
        self.queries.iter().map(|(_, query)| query.replace("{@", &format!("{{{SELECTION}")))
    }

    fn json(&self, number: usize) -> Value {
        let legends = self.queries.iter().map(|(legend, _)| legend);
        let targets: Vec<_> = (self.queries().zip(legends).zip('A'..))
            .map(|((query, legend), name)| {
                json!({ "refId": name, "datasource": data_source(), "expr": query, "legendFormat": legend })
            })
            .collect();
        json!({
            "id": number + 1,
            "type": "timeseries",
            "title": self.title,
            "datasource": data_source(),
            "gridPos": { "h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number / 2) },
            "fieldConfig": { "defaults": { "unit": self.unit, "custom": { "axisSoftMin": 0 } }, "overrides": [] },
            "options": { "legend": { "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"] }, "tooltip": { "mode": "multi" } },
            "targets": targets,
        })
    }
}

impl Dashboard {
    /// The content of the file.
    pub(crate) fn file(&self) -> String {
        let panels: Vec<_> =
            self.panels.iter().enumerate().map(|(number, panel)| panel.json(number)).collect();
        let dashboard = json!({
            "uid": format!("insula-{}", self.name),
            "title": self.title,
            "tags": ["insula"],
            "schemaVersion": 39,
            "version": 1,
            "editable": true,
            "refresh": "30s",
            "time": { "from": "now-3h", "to": "now" },
            "templating": { "list": [
                { "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus" },
                variable("job", "Job", r#"label_values(target_info{service_name="insula"}, job)"#),
                variable("instance", "Instance", r#"label_values(target_info{service_name="insula",job=~"$job"}, instance)"#),
            ] },
            "annotations": { "list": [] },
            "panels": panels,
        });
        format!("{dashboard:#}\n")
    }
}

fn data_source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A variable that offers the values of a label, all of them at first.
fn variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": data_source(),
        "query": { "query": query, "refId": name },
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "current": { "text": "All", "value": "$__all" },
    })
}

//! Dashboards of requests and of the service level objectives.

use super::{Dashboard, panel};

/// The dashboard `slo`.
pub(super) const SLO: Dashboard = Dashboard {
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
};

/// The dashboard `api`.
pub(super) const API: Dashboard = Dashboard {
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
        panel(
            "Requests in progress",
            "short",
            &[("{{http_request_method}}", "sum by (http_request_method) (http_server_active_requests{@})")],
        ),
        panel(
            "Rejected requests",
            "reqps",
            &[
                ("overload (503)", "sum(rate(insula_requests_shed_total{@}[$__rate_interval])) or vector(0)"),
                (
                    "rate limit (429)",
                    r#"sum(rate(http_server_request_duration_seconds_count{@,http_response_status_code="429"}[$__rate_interval])) or vector(0)"#,
                ),
            ],
        ),
    ],
};

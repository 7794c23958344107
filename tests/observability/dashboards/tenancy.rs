//! The dashboard of logins, rate limits and keys.

use super::{Dashboard, panel};

/// The dashboard `tenancy`.
pub(super) const TENANCY: Dashboard = Dashboard {
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
        panel("Active sessions", "short", &[("sessions", "max(insula_sessions_active{@})")]),
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
};

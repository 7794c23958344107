//! The dashboard of the database and of Redis.

use super::{Dashboard, panel};

/// The dashboard `database`.
pub(super) const DATABASE: Dashboard = Dashboard {
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
                ("{{instance}} {{db_client_connection_pool_name}} maximum", "db_client_connection_max{@}"),
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
            "Duration of statements (p95)",
            "s",
            &[(
                "{{db_operation_name}}",
                r#"histogram_quantile(0.95, sum by (le, db_operation_name) (rate(db_client_operation_duration_seconds_bucket{@,db_system_name!="redis"}[$__rate_interval])))"#,
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
                (
                    "all",
                    r#"sum(rate(db_client_operation_duration_seconds_count{@,db_system_name="redis"}[$__rate_interval]))"#,
                ),
                (
                    "failed",
                    r#"sum(rate(db_client_operation_duration_seconds_count{@,db_system_name="redis",error_type!=""}[$__rate_interval])) or vector(0)"#,
                ),
            ],
        ),
    ],
};

//! The dashboard of the processes.

use super::{Dashboard, panel};

/// The dashboard `runtime`.
pub(super) const RUNTIME: Dashboard = Dashboard {
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
        panel("Versions", "none", &[("{{service_version}}", "count by (service_version) (target_info{@})")]),
        panel(
            "Servers that wait for migrations",
            "none",
            &[("{{instance}}", "insula_migrations_pending{@}")],
        ),
        panel(
            "Lost log lines and spans",
            "ops",
            &[
                (
                    "log lines, {{destination}}: {{reason}}",
                    "sum by (destination, reason) (rate(insula_logs_dropped_total{@}[$__rate_interval]))",
                ),
                (
                    "spans: {{reason}}",
                    "sum by (reason) (rate(insula_traces_dropped_total{@}[$__rate_interval])) or vector(0)",
                ),
            ],
        ),
        panel("Answers to Prometheus", "none", &[("{{instance}}", "up{@}")]),
    ],
};

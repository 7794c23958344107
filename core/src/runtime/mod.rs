//! The process and what the replicas of one installation share: settings, metrics, cache invalidation, rate limits.

pub mod config;
pub mod tls;
pub mod telemetry;
pub mod resource_metrics;
pub mod cluster;
pub mod rate_limit;
pub mod job_wakeup;

//! The program as operators run it: command line, configuration, databases, e-mail, jobs and several processes.

mod cli;
mod backup;
mod clock_skew;
mod cluster;
mod configuration;
mod database_failures;
mod database_login;
mod deadlocks;
mod doctor;
mod email_cli;
mod email_limits;
mod fake_smtp;
mod jobs;
mod metrics;
mod migrations;
mod ops_port;
mod races;
mod restore;
mod schedules;
mod server;
mod shared_servers;
mod signing_keys;
mod smtp_outage;
mod statement_counts;
mod telemetry;
mod trace_context;

//! Work data of an organization: projects, tasks, time, reports and files.

pub mod projects;
pub mod tags;
pub mod tasks;
pub mod period_locks;
pub mod time_entries;
pub mod offboarding;
pub mod reports;
pub mod exports;

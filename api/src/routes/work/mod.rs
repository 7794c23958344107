//! Work data: projects, tags, tasks, time entries, reports, exports and imports.

pub(crate) mod exports;
pub(crate) mod imports;
pub(crate) mod project_members;
pub(crate) mod projects;
pub(crate) mod reports;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod time_entries;

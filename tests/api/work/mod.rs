//! The resources of an organization: projects, tags, tasks, time entries, reports, exports and imports.

mod bulk_tasks;
mod deleted_lists;
mod exports;
mod imports;
mod leap_seconds;
mod period_lock;
mod private_projects;
mod project_members;
mod projects;
mod recorded_org;
mod reports;
mod search;
mod tags;
mod task_list;
mod task_permissions;
mod tasks;
mod time_entries;
mod time_entry_list;
mod time_entry_references;
mod time_entry_rules;
mod timer;

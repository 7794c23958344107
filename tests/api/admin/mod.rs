//! The operations of superusers, under `/admin` and in organizations.

mod bulk_users;
mod emails;
mod jobs;
mod organizations;
mod platform_access;
mod user_list;
mod user_updates;
mod users;

//! The routes: each translates wire to core, begins, calls one operation, commits.

mod account;
mod admin;
mod audit;
mod auth;
mod invitations;
mod members;
mod organizations;
mod roles;
mod work;

use std::sync::Arc;

use crate::state::State;

/// Declares groups of routes, each a tuple (of 16 at most), and all of them as one.
macro_rules! groups { ($($(#[$doc:meta])* $group:ident = $($module:ident $(:: $inner:ident)* . $routes:ident),+;)+) => {
    $($(#[$doc])* type $group = ($($module $(:: $inner)* ::$routes,)+);)+

    /// Every operation of the API.
    pub type Routes = ($($group,)+);

    /// The routes, over what they share.
    pub fn routes(state: &Arc<State>) -> Routes {
        ($(($($module $(:: $inner)* ::$routes(Arc::clone(state)),)+),)+)
    }
}}

groups! {
    /// What people do for themselves.
    People =
        auth::registration.Auth,
        auth::sessions.Sessions,
        auth::auth_config.Configuration,
        auth::email_links.Mailboxes,
        account::me.Me,
        account::profile.Account,
        account::my_organizations.Memberships,
        audit::activity.Activity;
    /// What is inside of organizations.
    Tenants =
        organizations.Organizations,
        organizations::transfers.Transfers,
        organizations::settings.Settings,
        members.Members,
        invitations.Invitations,
        invitations::responses.Invited,
        roles.Roles,
        roles::permissions.Permissions,
        audit::log.Log,
        audit::verification.Proof,
        audit::exports.Exports;
    /// What people work on, and what comes of it.
    Work =
        work::projects.Projects,
        work::project_members.ProjectMembers,
        work::tags.Tags,
        work::tasks.Tasks,
        work::tasks::bulk.ManyTasks,
        work::time_entries.TimeEntries,
        work::time_entries::timer.Timer,
        work::time_entries::period_lock.PeriodLocks,
        work::imports.Imports,
        work::reports.Reports,
        work::exports.Exports;
    /// What operators do.
    Platform =
        admin::organizations.Organizations,
        admin::users.Users,
        admin::users_change.ChangedUsers,
        admin::users_bulk.ManyUsers,
        admin::jobs.Jobs,
        admin::queues.Queues,
        admin::emails.Emails,
        admin::audit.PlatformLog;
}

/// How the document groups the operations.
#[derive(poem_openapi::Tags)]
enum Tag {
    /// Registration and log-in.
    Authentication,
    /// The person who is signed in.
    Me,
    /// Tenants.
    Organizations,
    /// Who belongs to an organization, and what each may do there.
    Members,
    /// Who is invited into an organization, and what he answers.
    Invitations,
    /// What roles there are, and what each allows.
    Roles,
    /// Projects of an organization.
    Projects,
    /// What is to be done, and what it is tagged with.
    Tasks,
    /// Who worked when on what.
    TimeEntries,
    /// What the time of an organization comes to.
    Reports,
    /// Work data as files.
    Exports,
    /// What happened in an organization, and the proof of it.
    Audit,
    /// What operators of the platform do.
    Platform,
}

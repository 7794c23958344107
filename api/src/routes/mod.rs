//! The routes: each translates wire to core, begins, calls one operation, commits.

mod account;
mod admin;
mod audit;
mod auth;
mod configuration;
mod exports;
mod imports;
mod invitations;
mod invited;
mod mailboxes;
mod me;
mod members;
mod memberships;
mod organizations;
mod permissions;
mod project_members;
mod projects;
mod reports;
mod roles;
mod sessions;
mod settings;
mod tags;
mod tasks;
mod time_entries;
mod transfers;

use std::sync::Arc;

use crate::state::State;

/// Declares groups of routes, each a tuple (of 16 at most), and all of them as one.
macro_rules! groups { ($($(#[$doc:meta])* $group:ident = $($module:ident $(:: $inner:ident)? . $routes:ident),+;)+) => {
    $($(#[$doc])* type $group = ($($module $(:: $inner)? ::$routes,)+);)+

    /// Every operation of the API.
    pub type Routes = ($($group,)+);

    /// The routes, over what they share.
    pub fn routes(state: &Arc<State>) -> Routes {
        ($(($($module $(:: $inner)? ::$routes(Arc::clone(state)),)+),)+)
    }
}}

groups! {
    /// What people do for themselves.
    People =
        auth.Auth,
        sessions.Sessions,
        configuration.Configuration,
        mailboxes.Mailboxes,
        me.Me,
        account.Account,
        memberships.Memberships,
        audit::activity.Activity;
    /// What is inside of organizations.
    Tenants =
        organizations.Organizations,
        transfers.Transfers,
        settings.Settings,
        members.Members,
        invitations.Invitations,
        invited.Invited,
        roles.Roles,
        permissions.Permissions,
        audit::log.Log,
        audit::proof.Proof,
        audit::exports.Exports;
    /// What people work on, and what comes of it.
    Work =
        projects.Projects,
        project_members.ProjectMembers,
        tags.Tags,
        tasks.Tasks,
        tasks::bulk.ManyTasks,
        time_entries.TimeEntries,
        time_entries::timer.Timer,
        time_entries::period_lock.PeriodLocks,
        imports.Imports,
        reports.Reports,
        exports.Exports;
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

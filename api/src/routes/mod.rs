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
macro_rules! route_groups { ($($(#[$doc:meta])* $group:ident = $($module:ident $(:: $inner:ident)* . $routes:ident),+;)+) => {
    $($(#[$doc])* type $group = ($($module $(:: $inner)* ::$routes,)+);)+

    /// Every operation of the API.
    pub type Routes = ($($group,)+);

    /// The routes, over what they share.
    pub fn routes(state: &Arc<State>) -> Routes {
        ($(($($module $(:: $inner)* ::$routes(Arc::clone(state)),)+),)+)
    }
}}

route_groups! {
    /// What people do for themselves.
    People =
        auth::registration.RegistrationApi,
        auth::sessions.SessionsApi,
        auth::auth_config.AuthConfigApi,
        auth::email_links.EmailLinksApi,
        account::me.MeApi,
        account::profile.ProfileApi,
        account::my_organizations.MyOrganizationsApi,
        audit::activity.ActivityApi;
    /// What is inside of organizations.
    Tenants =
        organizations.OrganizationsApi,
        organizations::transfers.TransfersApi,
        organizations::settings.SettingsApi,
        members.MembersApi,
        invitations.InvitationsApi,
        invitations::responses.InvitationResponsesApi,
        roles.RolesApi,
        roles::permissions.PermissionsApi,
        audit::log.AuditLogApi,
        audit::verification.AuditVerificationApi,
        audit::exports.AuditExportsApi;
    /// What people work on, and what comes of it.
    Work =
        work::projects.ProjectsApi,
        work::project_members.ProjectMembersApi,
        work::tags.TagsApi,
        work::tasks.TasksApi,
        work::tasks::bulk.TasksBulkApi,
        work::time_entries.TimeEntriesApi,
        work::time_entries::timer.TimerApi,
        work::time_entries::period_lock.PeriodLocksApi,
        work::imports.ImportsApi,
        work::reports.ReportsApi,
        work::exports.ExportsApi;
    /// What operators do.
    Platform =
        admin::organizations.AdminOrganizationsApi,
        admin::users.AdminUsersApi,
        admin::users_change.UserUpdatesApi,
        admin::users_bulk.UsersBulkApi,
        admin::jobs.JobsApi,
        admin::queues.QueuesApi,
        admin::emails.EmailsApi,
        admin::audit.PlatformAuditApi;
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

//! The routes. Each one parses the request, begins a transaction, calls one operation of core and commits.

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

use crate::state::AppState;

/// Declares groups of routes, each a tuple (of 16 at most), and one type for all of them.
macro_rules! route_groups { ($($(#[$doc:meta])* $group:ident = $($module:ident $(:: $inner:ident)* . $routes:ident),+;)+) => {
    $($(#[$doc])* type $group = ($($module $(:: $inner)* ::$routes,)+);)+

    /// Every operation of the API.
    pub type Routes = ($($group,)+);

    /// The routes with their shared state.
    pub fn routes(state: &Arc<AppState>) -> Routes {
        ($(($($module $(:: $inner)* ::$routes(Arc::clone(state)),)+),)+)
    }
}}

route_groups! {
    /// Operations of users on their own account.
    People =
        auth::registration.RegistrationApi,
        auth::sessions.SessionsApi,
        auth::auth_config.AuthConfigApi,
        auth::email_links.EmailLinksApi,
        account::me.MeApi,
        account::context.ContextApi,
        account::profile.ProfileApi,
        account::my_organizations.MyOrganizationsApi,
        audit::activity.ActivityApi;
    /// Organizations, their members, invitations, roles and audit logs.
    Tenants =
        organizations.OrganizationsApi,
        organizations::transfers.TransfersApi,
        organizations::settings.SettingsApi,
        organizations::search.SearchApi,
        members.MembersApi,
        invitations.InvitationsApi,
        invitations::responses.InvitationResponsesApi,
        invitations::received.ReceivedInvitationsApi,
        roles.RolesApi,
        roles::permissions.PermissionsApi,
        audit::log.AuditLogApi,
        audit::verification.AuditVerificationApi,
        audit::exports.AuditExportsApi;
    /// Projects, tasks, time entries, reports and exports.
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
    /// Operations of superusers.
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

/// The tags that group the operations in the document.
#[derive(poem_openapi::Tags)]
enum Tag {
    /// Registration, login, sessions and e-mailed links.
    Authentication,
    /// The signed-in user: profile, sessions, organizations and invitations.
    Me,
    /// Organizations, their settings and the transfer of their ownership.
    Organizations,
    /// Members of an organization and their permissions.
    Members,
    /// Invitations to an organization and the responses to them.
    Invitations,
    /// Roles of an organization and the permissions that they include.
    Roles,
    /// Projects of an organization and their members.
    Projects,
    /// Tasks of an organization and their tags.
    Tasks,
    /// Time entries and their import, timers and locked periods.
    TimeEntries,
    /// Reports on the tracked time of an organization.
    Reports,
    /// Downloads of tasks and time entries as files.
    Exports,
    /// Audit log of an organization and its verification.
    Audit,
    /// Administration of the platform by superusers.
    Platform,
}

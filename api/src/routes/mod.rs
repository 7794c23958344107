//! The routes: each translates wire to core, begins, calls one operation, commits.

mod account;
mod admin;
mod auth;
mod configuration;
mod mailboxes;
mod me;
mod members;
mod memberships;
mod organizations;
mod projects;
mod sessions;

use std::sync::Arc;

use crate::state::State;

/// Every operation of the API.
pub type Routes = (
    auth::Auth,
    sessions::Sessions,
    configuration::Configuration,
    mailboxes::Mailboxes,
    me::Me,
    account::Account,
    memberships::Memberships,
    organizations::Organizations,
    members::Members,
    projects::Projects,
    admin::users::Users,
);

/// The routes, over what they share.
pub fn routes(state: &Arc<State>) -> Routes {
    (
        auth::Auth(Arc::clone(state)),
        sessions::Sessions(Arc::clone(state)),
        configuration::Configuration(Arc::clone(state)),
        mailboxes::Mailboxes(Arc::clone(state)),
        me::Me(Arc::clone(state)),
        account::Account(Arc::clone(state)),
        memberships::Memberships(Arc::clone(state)),
        organizations::Organizations(Arc::clone(state)),
        members::Members(Arc::clone(state)),
        projects::Projects(Arc::clone(state)),
        admin::users::Users(Arc::clone(state)),
    )
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
    /// Projects of an organization.
    Projects,
    /// What operators of the platform do.
    Platform,
}

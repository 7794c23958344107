//! Search an organization for what has a name.

use crate::{
    Result,
    base::{
        permissions::{Membership, Permission},
        text::SearchTerm,
    },
    identity::users::User,
    storage::db::OrgTx,
    tenancy::{
        members::{self, Member},
        roles::{self, Role},
    },
    work::{
        projects::{self, Project},
        tags::{self, Tag},
        tasks::{self, Task},
    },
};

/// The largest number of results of each kind.
pub const MAX_RESULTS: u64 = 5;

/// What was found; at most [`MAX_RESULTS`] of each kind. What the caller cannot list is empty.
#[derive(Clone, Debug, Default)]
pub struct SearchResults {
    /// Members by e-mail address, username or name.
    pub members: Vec<(Member, User)>,
    /// Projects by code or name.
    pub projects: Vec<Project>,
    /// Tasks by title, the most recently changed first.
    pub tasks: Vec<Task>,
    /// Tags by name.
    pub tags: Vec<Tag>,
    /// Roles by key or name.
    pub roles: Vec<Role>,
}

/// Searches an organization, with one query for each kind that the caller can list.
///
/// # Errors
/// Any database error.
pub async fn in_organization(tx: &OrgTx<Membership>, term: &SearchTerm) -> Result<SearchResults> {
    let mut results = SearchResults::default();
    if tx.may(Permission::MembersRead) {
        results.members = members::search(tx, term, MAX_RESULTS).await?;
    }
    if tx.may(Permission::ProjectsRead) {
        results.projects = projects::search(tx, term, MAX_RESULTS).await?;
    }
    if tx.may(Permission::TasksRead) {
        results.tasks = tasks::search(tx, term, MAX_RESULTS).await?;
        results.tags = tags::search(tx, term, MAX_RESULTS).await?;
    }
    if tx.may(Permission::RolesRead) {
        results.roles = roles::search(tx, term, MAX_RESULTS).await?;
    }
    Ok(results)
}

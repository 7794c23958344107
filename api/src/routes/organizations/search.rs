//! `/organizations/{org}/search`: what has a name, in one request.

use std::sync::Arc;

use insula_core::{
    base::permissions::Membership,
    identity::users::User,
    lifecycle::search,
    tenancy::{members::Member, roles::Role},
    work::{projects::Project, tags::Tag as TagRow, tasks::Task},
};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::{
    Tag,
    work::tasks::{TaskStatusName, TaskTitle},
};
use crate::{
    auth::tenant,
    http::{DisplayName, Email, JsonResponse, Name, ProjectCode, RoleKey, SearchTerm, TagName},
    problem::Result,
    state::AppState,
};

pub struct SearchApi(pub Arc<AppState>);

/// What a search found: at most 5 results of each kind. Kinds that you cannot list are empty.
#[derive(Object, Serialize)]
struct SearchResults {
    /// Members by e-mail address, username or name, in the order in which they joined. Without removed members.
    members: Vec<FoundMember>,
    /// Projects by code or name, ordered by code. Archived projects are included.
    projects: Vec<FoundProject>,
    /// Tasks by title. The most recently changed come first.
    tasks: Vec<FoundTask>,
    /// Tags by name.
    tags: Vec<FoundTag>,
    /// Roles by key or name, ordered by name.
    roles: Vec<FoundRole>,
}

/// A member that a search found.
#[derive(Object, Serialize)]
struct FoundMember {
    /// Unique id of the member.
    id: Uuid,
    /// E-mail address of the user.
    email: Email,
    /// Name of the user, as shown to others.
    display_name: DisplayName,
}

/// A project that a search found.
#[derive(Object, Serialize)]
struct FoundProject {
    /// Unique id of the project.
    id: Uuid,
    /// Short name of the project.
    code: ProjectCode,
    /// Display name of the project.
    name: Name,
    /// Whether the project is archived.
    is_archived: bool,
}

/// A task that a search found.
#[derive(Object, Serialize)]
struct FoundTask {
    /// Unique id of the task.
    id: Uuid,
    /// What is to be done.
    title: TaskTitle,
    /// Status of the task.
    status: TaskStatusName,
    /// The project of the task. `null`: none.
    #[oai(nullable)]
    project_id: Option<Uuid>,
}

/// A tag that a search found.
#[derive(Object, Serialize)]
struct FoundTag {
    /// Unique id of the tag.
    id: Uuid,
    /// Name of the tag.
    name: TagName,
}

/// A role that a search found.
#[derive(Object, Serialize)]
struct FoundRole {
    /// Unique id of the role.
    id: Uuid,
    /// Stable key of the role, for programs.
    key: RoleKey,
    /// Name of the role, for display.
    name: Name,
}

#[OpenApi(tag = "Tag::Organizations")]
impl SearchApi {
    /// Search an organization
    ///
    /// Finds members, projects, tasks, tags and roles whose name contains a text, without regard to case and
    /// accents. It returns at most 5 of each kind; the lists find more with their parameter `q`. You need no
    /// permission, but only find what you can list.
    #[oai(path = "/organizations/:org/search", method = "get", operation_id = "searchOrganization")]
    async fn search(
        &self,
        org: tenant::Path<Membership>,
        /// The text to find.
        q: Query<SearchTerm>,
    ) -> Result<JsonResponse<SearchResults>> {
        let term = q.0.parse()?;
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(search::in_organization(&tx, &term).await?.into()))
    }
}

impl From<search::SearchResults> for SearchResults {
    fn from(results: search::SearchResults) -> Self {
        Self {
            members: results.members.into_iter().map(FoundMember::from).collect(),
            projects: results.projects.into_iter().map(FoundProject::from).collect(),
            tasks: results.tasks.into_iter().map(FoundTask::from).collect(),
            tags: results.tags.into_iter().map(FoundTag::from).collect(),
            roles: results.roles.into_iter().map(FoundRole::from).collect(),
        }
    }
}

impl From<(Member, User)> for FoundMember {
    fn from((member, user): (Member, User)) -> Self {
        let display_name = DisplayName(user.display_name());
        Self { id: member.id.0, email: Email(user.email), display_name }
    }
}

impl From<Project> for FoundProject {
    fn from(project: Project) -> Self {
        Self {
            id: project.id.0,
            code: ProjectCode(project.code),
            name: Name(project.name),
            is_archived: project.archived_at.is_some(),
        }
    }
}

impl From<Task> for FoundTask {
    fn from(task: Task) -> Self {
        let project_id = task.project_id.map(|id| id.0);
        Self { id: task.id.0, title: TaskTitle(task.title), status: task.status.into(), project_id }
    }
}

impl From<TagRow> for FoundTag {
    fn from(tag: TagRow) -> Self {
        Self { id: tag.id.0, name: TagName(tag.name) }
    }
}

impl From<Role> for FoundRole {
    fn from(role: Role) -> Self {
        Self { id: role.id.0, key: RoleKey(role.key), name: Name(role.name) }
    }
}

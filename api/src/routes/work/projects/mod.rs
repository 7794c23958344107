//! `/organizations/{org}/projects`: the file to copy for a new resource.
//!
//! Each handler takes the organization first and the body last, so that a caller without permission learns
//! nothing about the body and a slow client holds no transaction. The transaction begins after everything the
//! client sent is parsed.

mod schema;

use std::sync::Arc;

use insula_core::{
    base::{
        error::FieldErrors,
        ids::ProjectId,
        permissions::{ProjectsCreate, ProjectsDelete, ProjectsRead, ProjectsUpdate},
        text,
    },
    storage::idempotency::IdempotentBegin,
    work::projects::{self, NewProject, ProjectChanges, ProjectFilter, ProjectKey},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::{MergePatch, StrictJson, missing_first},
    http::{
        CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit, ListRequest,
        NoContent, PageResponse, ProjectCode, SearchTerm, WithEtag,
    },
    problem::Result,
    state::AppState,
};

use schema::{Project, ProjectCreate, ProjectSort, ProjectUpdate};

pub struct ProjectsApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Projects")]
impl ProjectsApi {
    /// List projects
    ///
    /// Returns the projects that you can see. Private projects are included only if you are a member of them
    /// or have `projects:update`.
    #[oai(path = "/organizations/:org/projects", method = "get", operation_id = "listProjects")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<ProjectsRead>,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<ProjectSort>>,
        /// Only the project with this code.
        code: Query<Option<ProjectCode>>,
        /// Only projects whose code or name contains this text, without regard to case and accents.
        q: Query<Option<SearchTerm>>,
        /// Only archived (`true`) or only active (`false`) projects.
        archived: Query<Option<bool>>,
        /// Only deleted projects, which can be restored; needs `projects:delete`. Defaults to `false`.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<Project>> {
        let filter =
            ProjectFilter { is_deleted: deleted.0.unwrap_or_default(), ..filter(code.0, q.0, archived.0)? };
        let sort = sort.0.unwrap_or(ProjectSort::ascending(ProjectKey::CreatedAt));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &filter), (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = projects::list(&tx, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, Project::from))
    }

    /// Create a project
    ///
    /// The code must be unique in the organization; otherwise the error is `PROJECT_CODE_TAKEN`. If the
    /// project is private and you do not have `projects:update`, you become its first member.
    #[oai(path = "/organizations/:org/projects", method = "post", operation_id = "createProject")]
    async fn create(
        &self,
        org: tenant::Path<ProjectsCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<ProjectCreate>,
    ) -> Result<CreatedResponse<Project>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewProject::try_from(draft.value)?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let project = projects::create(&tx, new).await?;
        let answer = CreatedResponse::created(
            location(&project),
            EntityTag(project.version),
            &Project::from(project),
        )?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get a project
    ///
    /// Private projects that you cannot see are answered with 404.
    #[oai(path = "/organizations/:org/projects/:project", method = "get", operation_id = "getProject")]
    async fn get(
        &self,
        org: tenant::Path<ProjectsRead>,
        project: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Project>> {
        let tx = self.0.db.begin(org.0).await?;
        let project = projects::get(&tx, ProjectId(project.0.0)).await?;
        Ok(WithEtag::new(EntityTag(project.version), known.0, || project.into()))
    }

    /// Update a project
    ///
    /// Changes only the fields that you send. The error is `PROJECT_CODE_TAKEN` if another project has the
    /// new code.
    #[oai(path = "/organizations/:org/projects/:project", method = "patch", operation_id = "updateProject")]
    async fn change(
        &self,
        org: tenant::Path<ProjectsUpdate>,
        project: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<ProjectUpdate>,
    ) -> Result<WithEtag<Project>> {
        let (id, changes) = (ProjectId(project.0.0), patch.changes::<ProjectChanges>());
        let tx = self.0.db.begin(org.0).await?;
        let changes = missing_first(changes, projects::exists(&tx, id)).await?;
        let project = projects::update(&tx, id, changes, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(project.version), project.into()))
    }

    /// Delete a project
    ///
    /// The project can be restored. Its tasks are hidden while it is deleted.
    #[oai(path = "/organizations/:org/projects/:project", method = "delete", operation_id = "deleteProject")]
    async fn remove(
        &self,
        org: tenant::Path<ProjectsDelete>,
        project: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        projects::delete(&tx, ProjectId(project.0.0), &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Archive a project
    ///
    /// An archived project accepts no new tasks or time entries. Existing ones stay. Archiving an archived
    /// project changes nothing.
    #[oai(
        path = "/organizations/:org/projects/:project/archive",
        method = "post",
        operation_id = "archiveProject"
    )]
    async fn archive(
        &self,
        org: tenant::Path<ProjectsUpdate>,
        project: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<WithEtag<Project>> {
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        let project = projects::archive(&tx, ProjectId(project.0.0), &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(project.version), project.into()))
    }

    /// Unarchive a project
    ///
    /// The project accepts new tasks and time entries again. Unarchiving a project that is not archived
    /// changes nothing.
    #[oai(
        path = "/organizations/:org/projects/:project/unarchive",
        method = "post",
        operation_id = "unarchiveProject"
    )]
    async fn unarchive(
        &self,
        org: tenant::Path<ProjectsUpdate>,
        project: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<WithEtag<Project>> {
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        let project = projects::unarchive(&tx, ProjectId(project.0.0), &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(project.version), project.into()))
    }

    /// Restore a project
    ///
    /// Brings back a deleted project with its id and its tasks. The error is `PROJECT_CODE_TAKEN` if another
    /// project has its code by now.
    #[oai(
        path = "/organizations/:org/projects/:project/restore",
        method = "post",
        operation_id = "restoreProject"
    )]
    async fn restore(
        &self,
        org: tenant::Path<ProjectsDelete>,
        project: Path<Id>,
    ) -> Result<WithEtag<Project>> {
        let tx = self.0.db.begin(org.0).await?;
        let project = projects::restore(&tx, ProjectId(project.0.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(project.version), project.into()))
    }
}

fn location(project: &projects::Project) -> String {
    format!("/api/v1/organizations/{}/projects/{}", project.organization_id, project.id)
}

fn filter(
    code: Option<ProjectCode>,
    term: Option<SearchTerm>,
    is_archived: Option<bool>,
) -> Result<ProjectFilter, insula_core::Error> {
    let mut fields = FieldErrors::default();
    let code = fields.parse_optional("code", code.map(|code| text::ProjectCode::parse(&code.0)));
    let term = fields.parse_optional("q", term.map(|term| text::SearchTerm::parse(&term.0)));
    fields.into_result()?;
    Ok(ProjectFilter { code, term, is_archived, is_deleted: false })
}

//! `/organizations/{org}/projects`: the file to copy.
//!
//! In each handler the organization comes first and the body last: who may not ask learns nothing of the body, and no
//! slow client holds a transaction. The transaction begins when everything the client sent is parsed.

mod sort;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{ErrorCode, FieldErrors},
        ids::ProjectId,
        permissions::{
            Authorized, ProjectsCreate, ProjectsDelete, ProjectsRead, ProjectsUpdate, RequiredPermission,
        },
        text,
    },
    storage::idempotency::IdempotentBegin,
    work::projects::{self, NewProject, ProjectChanges, ProjectFilter},
};
use poem::Request;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::MaybeUndefined,
};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::{MergePatch, StrictJson},
    http::{
        Color, CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit,
        ListRequest, Name, NoContent, PageResponse, ProjectCode, WithEtag,
    },
    problem::{Problem, Result},
    state::State,
};
use sort::ProjectSort;

pub struct ProjectsApi(pub Arc<State>);

/// A new project.
#[derive(Object)]
struct ProjectCreate {
    /// Its short name; unique in the organization, without regard to case.
    code: ProjectCode,
    /// Its name, for people.
    name: Name,
    /// How it is shown.
    #[oai(nullable)]
    color: Option<Color>,
    /// Do only its members see it, and those who may change projects? By itself it is open to all.
    is_private: Option<bool>,
    /// How long it may take, in seconds: up to 100,000 hours.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "360000000")))]
    estimate_seconds: Option<i64>,
}

/// What is to change: absent is unchanged, `null` is cleared.
#[derive(Object)]
struct ProjectUpdate {
    /// Its short name; unique in the organization, without regard to case.
    code: Option<ProjectCode>,
    /// Its name, for people.
    name: Option<Name>,
    /// How it is shown.
    #[oai(nullable)]
    color: MaybeUndefined<Color>,
    /// Do only its members see it, and those who may change projects?
    is_private: Option<bool>,
    /// How long it may take, in seconds: up to 100,000 hours.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "360000000")))]
    estimate_seconds: MaybeUndefined<i64>,
}

/// A project.
#[derive(Object, Serialize)]
struct Project {
    /// The project.
    id: Uuid,
    /// Whose.
    organization_id: Uuid,
    /// Its short name.
    code: ProjectCode,
    /// Its name, for people.
    name: Name,
    /// How it is shown: `#rrggbb`.
    #[oai(nullable)]
    color: Option<Color>,
    /// Do only its members see it, and those who may change projects?
    is_private: bool,
    /// Since when it is archived, and takes no new work; `null`: it is not.
    #[oai(nullable)]
    archived_at: Option<DateTime<Utc>>,
    /// How long it may take, in seconds.
    #[oai(nullable)]
    estimate_seconds: Option<i64>,
    /// Counts its changes; the `ETag`.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

#[OpenApi(tag = "Tag::Projects")]
impl ProjectsApi {
    /// List the projects
    ///
    /// Those that the caller sees: of the private ones only those he is a member of, unless he may change projects.
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
        /// Only those that are archived, or those that are not.
        archived: Query<Option<bool>>,
    ) -> Result<PageResponse<Project>> {
        let filter = filter(code.0, archived.0)?;
        let sort = sort.0.unwrap_or(ProjectSort::CreatedAt).into();
        let list = format!("listProjects {} {sort:?} {filter:?}", org.0.org());
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = projects::list(&tx, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, Project::from))
    }

    /// Add a project
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

    /// Look at a project
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

    /// Change a project
    #[oai(path = "/organizations/:org/projects/:project", method = "patch", operation_id = "updateProject")]
    async fn change(
        &self,
        org: tenant::Path<ProjectsUpdate>,
        project: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<ProjectUpdate>,
    ) -> Result<WithEtag<Project>> {
        let changes = match patch.body().and_then(|patch| Ok(ProjectChanges::try_from(patch)?)) {
            Ok(changes) => changes,
            Err(refused) => return Err(self.refuse(org.0, ProjectId(project.0.0), refused).await),
        };
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        let project = projects::update(&tx, ProjectId(project.0.0), changes, &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(project.version), project.into()))
    }

    /// Delete a project
    ///
    /// It can be restored.
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
    /// It takes no new tasks and no new time; what is there stays. Safe to repeat.
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

    /// Take a project out of the archive
    ///
    /// Safe to repeat.
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

    /// Restore a deleted project
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

impl ProjectsApi {
    /// The refusal of a body, where there is such a project; otherwise there was nothing to change.
    async fn refuse<P: RequiredPermission>(
        &self,
        org: Authorized<P>,
        project: ProjectId,
        refused: Problem,
    ) -> Problem {
        let found = async { projects::exists(&self.0.db.begin(org).await?, project).await };
        found.await.map_or_else(Problem::from, |()| refused)
    }
}

fn location(project: &projects::Project) -> String {
    format!("/api/v1/organizations/{}/projects/{}", project.organization_id, project.id)
}

fn filter(code: Option<ProjectCode>, is_archived: Option<bool>) -> Result<ProjectFilter, insula_core::Error> {
    let mut fields = FieldErrors::default();
    let code = fields.parse_optional("code", code.map(|code| text::ProjectCode::parse(&code.0)));
    fields.into_result()?;
    Ok(ProjectFilter { code, is_archived })
}

impl TryFrom<ProjectCreate> for NewProject {
    type Error = insula_core::Error;

    fn try_from(draft: ProjectCreate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let code = fields.parse("code", text::ProjectCode::parse(&draft.code.0));
        let name = fields.parse("name", text::Name::parse(&draft.name.0));
        let color = fields.parse_optional("color", draft.color.map(|color| text::Color::parse(&color.0)));
        fields.into_result()?;
        let (is_private, estimate_seconds) = (draft.is_private.unwrap_or_default(), draft.estimate_seconds);
        let (code, name) = code.zip(name).ok_or(ErrorCode::ValidationFailed.refuse())?;
        Ok(Self { code, name, color, is_private, estimate_seconds })
    }
}

impl TryFrom<ProjectUpdate> for ProjectChanges {
    type Error = insula_core::Error;

    fn try_from(patch: ProjectUpdate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let code = fields.parse_optional("code", patch.code.map(|code| text::ProjectCode::parse(&code.0)));
        let name = fields.parse_optional("name", patch.name.map(|name| text::Name::parse(&name.0)));
        let color = match patch.color {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(color) => fields.parse("color", text::Color::parse(&color.0)).map(Some),
        };
        fields.into_result()?;
        let estimate_seconds = patch.estimate_seconds.into();
        Ok(Self { code, name, color, is_private: patch.is_private, estimate_seconds })
    }
}

impl From<projects::Project> for Project {
    fn from(row: projects::Project) -> Self {
        Self {
            id: row.id.0,
            organization_id: row.organization_id.0,
            code: ProjectCode(row.code),
            name: Name(row.name),
            color: row.color.map(Color),
            is_private: row.is_private,
            archived_at: row.archived_at,
            estimate_seconds: row.estimate_seconds,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

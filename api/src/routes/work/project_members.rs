//! `/organizations/{org}/projects/{project}/members`: the members of a project, who can see it while it is
//! private.

use std::sync::Arc;

use insula_core::{
    base::{
        ids::{MemberId, ProjectId},
        permissions::{ProjectsRead, ProjectsUpdate},
    },
    work::projects::{self, ProjectMembers},
};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::{Replacement, missing_first},
    http::{EntityTag, Id, IfMatch, IfNoneMatch, WithEtag},
    problem::Result,
    state::AppState,
};

pub struct ProjectMembersApi(pub Arc<AppState>);

/// The new members of a project.
#[derive(Object)]
struct ProjectMembersUpdate {
    /// Ids of all members of the project, each once. Members that are left out are removed from the project.
    #[oai(validator(max_items = 500, unique_items))]
    members: Vec<Uuid>,
}

/// The members of a project.
#[derive(Object, Serialize)]
struct ProjectMemberList {
    /// Ids of the members, in ascending order.
    members: Vec<Uuid>,
    /// The version of the project, which is also the `ETag`. It increases when the members change.
    version: i64,
}

#[OpenApi(tag = "Tag::Projects")]
impl ProjectMembersApi {
    /// List the members of a project
    ///
    /// Returns the ids of all members of the project. The `ETag` is that of the project.
    #[oai(
        path = "/organizations/:org/projects/:project/members",
        method = "get",
        operation_id = "getProjectMembers"
    )]
    async fn get(
        &self,
        org: tenant::Path<ProjectsRead>,
        project: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<ProjectMemberList>> {
        let tx = self.0.db.begin(org.0).await?;
        let members = projects::get_members(&tx, ProjectId(project.0.0)).await?;
        Ok(WithEtag::new(EntityTag(members.version), known.0, || members.into()))
    }

    /// Replace the members of a project
    ///
    /// The project has exactly these members afterwards. New members must be active members of the
    /// organization; suspended members can stay if they are members of the project already. Only its members
    /// and members with `projects:update` can see a private project and its tasks.
    #[oai(
        path = "/organizations/:org/projects/:project/members",
        method = "put",
        operation_id = "setProjectMembers"
    )]
    async fn set(
        &self,
        org: tenant::Path<ProjectsUpdate>,
        project: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        wanted: Replacement<ProjectMembersUpdate>,
    ) -> Result<WithEtag<ProjectMemberList>> {
        let id = ProjectId(project.0.0);
        let tx = self.0.db.begin(org.0).await?;
        let wanted = missing_first(wanted.body(), projects::exists(&tx, id)).await?;
        let members = wanted.members.into_iter().map(MemberId).collect();
        let members = projects::set_members(&tx, id, members, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(members.version), members.into()))
    }
}

impl From<ProjectMembers> for ProjectMemberList {
    fn from(project: ProjectMembers) -> Self {
        Self {
            members: project.members.into_iter().map(|member| member.0).collect(),
            version: project.version,
        }
    }
}

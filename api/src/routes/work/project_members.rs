//! `/organizations/{org}/projects/{project}/members`: who works on a project, and sees it where it is private.

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
    body::Replacement,
    http::{EntityTag, Id, IfMatch, IfNoneMatch, WithEtag},
    problem::{Problem, Result},
    state::State,
};

pub struct ProjectMembersApi(pub Arc<State>);

/// Who is to work on a project.
#[derive(Object)]
struct ProjectMembersUpdate {
    /// All of them, each once.
    #[oai(validator(max_items = 500, unique_items))]
    members: Vec<Uuid>,
}

/// Who works on a project.
#[derive(Object, Serialize)]
struct ProjectMemberList {
    /// The members, in the order of their ids.
    members: Vec<Uuid>,
    /// That of the project, whose part they are; the `ETag`.
    version: i64,
}

#[OpenApi(tag = "Tag::Projects")]
impl ProjectMembersApi {
    /// Look at the members of a project
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
        let team = projects::team(&tx, ProjectId(project.0.0)).await?;
        Ok(WithEtag::new(EntityTag(team.version), known.0, || team.into()))
    }

    /// Say who the members of a project are
    ///
    /// These, and nobody else. They are active members of the organization; whoever is among them already may stay, also
    /// while he is suspended. Of a private project nobody else sees anything, but for those who may change projects.
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
        let wanted = match wanted.body() {
            Ok(wanted) => wanted.members.into_iter().map(MemberId).collect(),
            // Where there is no such project there was nothing to change.
            Err(refused) => {
                let found = async { projects::exists(&self.0.db.begin(org.0).await?, id).await };
                return Err(found.await.map_or_else(Problem::from, |()| refused));
            }
        };
        let tx = self.0.db.begin(org.0).await?;
        let team = projects::set_team(&tx, id, wanted, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(team.version), team.into()))
    }
}

impl From<ProjectMembers> for ProjectMemberList {
    fn from(team: ProjectMembers) -> Self {
        Self { members: team.members.into_iter().map(|member| member.0).collect(), version: team.version }
    }
}

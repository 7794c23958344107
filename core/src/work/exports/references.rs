//! Names for the ids of a batch, with one query per type of row, however many rows there are.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use crate::{
    Result,
    base::{
        ids::{MemberId, ProjectId, TagId},
        permissions::ExportsCreate,
    },
    identity::users,
    storage::db::OrgTx,
    tenancy::members,
    work::{projects, tags},
};

/// Names by id.
pub(super) struct ExportReferences {
    emails: HashMap<MemberId, String>,
    codes: HashMap<ProjectId, String>,
    tags: HashMap<TagId, String>,
}

impl ExportReferences {
    /// Finds the names of the members, projects and tags. Projects that the caller cannot see get none.
    pub(super) async fn of(
        tx: &OrgTx<ExportsCreate>,
        members: impl Iterator<Item = MemberId>,
        projects: impl Iterator<Item = ProjectId>,
        tags: impl Iterator<Item = TagId>,
    ) -> Result<Self> {
        let (members, projects, tags) = (distinct(members), distinct(projects), distinct(tags));
        let members_with_users = tx.find::<members::Entity>().with::<users::Entity>();
        let members_with_users = members_with_users.all_of(members::Column::Id, members).await?;
        let visible_projects =
            tx.find::<projects::Entity>().including_deleted().filter(projects::visible(tx));
        let visible_projects = visible_projects.all_of(projects::Column::Id, projects).await?;
        let tags = tx.find::<tags::Entity>().all_of(tags::Column::Id, tags).await?;
        Ok(Self {
            emails: members_with_users.into_iter().map(|(member, user)| (member.id, user.email)).collect(),
            codes: visible_projects.into_iter().map(|project| (project.id, project.code)).collect(),
            tags: tags.into_iter().map(|tag| (tag.id, tag.name)).collect(),
        })
    }

    pub(super) fn email(&self, member: MemberId) -> Option<String> {
        self.emails.get(&member).cloned()
    }

    pub(super) fn code(&self, project: ProjectId) -> Option<String> {
        self.codes.get(&project).cloned()
    }

    /// The names of these tags, sorted, and their ids in the same order.
    pub(super) fn sorted_tags(&self, tags: Vec<TagId>) -> Vec<(String, TagId)> {
        let name = |tag: TagId| Some((self.tags.get(&tag)?.clone(), tag));
        let mut tags: Vec<_> = tags.into_iter().filter_map(name).collect();
        tags.sort();
        tags
    }
}

fn distinct<T: Eq + Hash>(ids: impl Iterator<Item = T>) -> HashSet<T> {
    ids.collect()
}

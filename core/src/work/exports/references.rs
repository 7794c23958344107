//! What the ids of a batch stand for: one query for each kind of thing, however many rows there are.

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
    /// Those of the members, the projects and the tags that are named, but of no project that the caller does not see.
    pub(super) async fn of(
        tx: &OrgTx<ExportsCreate>,
        members: impl Iterator<Item = MemberId>,
        projects: impl Iterator<Item = ProjectId>,
        tags: impl Iterator<Item = TagId>,
    ) -> Result<Self> {
        let (members, projects, tags) = (distinct(members), distinct(projects), distinct(tags));
        let people = tx.find::<members::Entity>().with::<users::Entity>();
        let people = people.all_of(members::Column::Id, members).await?;
        let seen = tx.find::<projects::Entity>().including_deleted().filter(projects::visible(tx));
        let seen = seen.all_of(projects::Column::Id, projects).await?;
        let tags = tx.find::<tags::Entity>().all_of(tags::Column::Id, tags).await?;
        Ok(Self {
            emails: people.into_iter().map(|(member, user)| (member.id, user.email)).collect(),
            codes: seen.into_iter().map(|project| (project.id, project.code)).collect(),
            tags: tags.into_iter().map(|tag| (tag.id, tag.name)).collect(),
        })
    }

    pub(super) fn email(&self, member: MemberId) -> Option<String> {
        self.emails.get(&member).cloned()
    }

    pub(super) fn code(&self, project: ProjectId) -> Option<String> {
        self.codes.get(&project).cloned()
    }

    /// The tags by their names, with those.
    pub(super) fn tagged(&self, tags: Vec<TagId>) -> Vec<(String, TagId)> {
        let name = |tag: TagId| Some((self.tags.get(&tag)?.clone(), tag));
        let mut tags: Vec<_> = tags.into_iter().filter_map(name).collect();
        tags.sort();
        tags
    }
}

fn distinct<T: Eq + Hash>(ids: impl Iterator<Item = T>) -> HashSet<T> {
    ids.collect()
}

//! The rows that a file refers to, with one or few queries per table, however many rows the file has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ImportMemberRef, ImportedEntry, TimeEntry, unchanged_rows::ExistingEntries};
use crate::{
    Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, ProjectId, TagId, TaskId},
        permissions::TimeEntriesCreate,
        text::TagName,
    },
    identity::users,
    storage::db::OrgTx,
    tenancy::members::{self, ACTIVE, Member},
    work::{
        projects::{self, Project},
        tags,
        tasks::{self, Task},
        time_entries::{ProjectRef, references::add_wrong_project_error},
    },
};

pub(super) struct ImportReferences {
    members: BTreeMap<MemberId, Member>,
    by_email: HashMap<String, MemberId>,
    projects: HashMap<ProjectId, Project>,
    by_code: HashMap<String, ProjectId>,
    tasks: HashMap<TaskId, Task>,
    tags: HashMap<String, TagId>,
    existing: ExistingEntries,
}

impl ImportReferences {
    /// Queries all references. The members are locked.
    pub(super) async fn of(tx: &OrgTx<TimeEntriesCreate>, rows: &[ImportedEntry]) -> Result<Self> {
        let (members, by_email) = lock_members(tx, rows).await?;
        let tasks = tasks_of(tx, rows).await?;
        let projects = projects_of(tx, rows, &tasks).await?;
        let by_code = projects.values().map(|project| (project.code_key.clone(), project.id)).collect();
        let names: BTreeSet<_> = rows.iter().flat_map(|row| &row.tags).map(TagName::key).collect();
        let tags = tx.find::<tags::Entity>().all_of(tags::Column::NameKey, names).await?;
        let tags = tags.into_iter().map(|tag| (tag.name_key, tag.id)).collect();
        let existing = ExistingEntries::of(tx, rows).await?;
        Ok(Self { members, by_email, projects, by_code, tasks, tags, existing })
    }

    /// The existing entry that a row repeats.
    pub(super) fn unchanged(&self, tx: &OrgTx<TimeEntriesCreate>, row: &ImportedEntry) -> Option<&TimeEntry> {
        let member = match &row.member {
            Some(ImportMemberRef::Id(id)) => Some(*id),
            Some(ImportMemberRef::Email(email)) => self.by_email.get(email.key()).copied(),
            None => tx.member(),
        };
        self.existing.unchanged(row, member)
    }

    /// The member of a row.
    pub(super) fn member(
        &self,
        tx: &OrgTx<TimeEntriesCreate>,
        named: Option<&ImportMemberRef>,
        fields: &mut FieldErrors,
    ) -> Option<MemberId> {
        let (field, id) = match named {
            Some(ImportMemberRef::Id(id)) => ("member_id", Some(*id)),
            Some(ImportMemberRef::Email(email)) => ("member_email", self.by_email.get(email.key()).copied()),
            None => match tx.member() {
                Some(member) => return Some(member),
                None => {
                    let code = ErrorCode::NotAMember;
                    fields.add("member_email", code.as_str(), code.sentence());
                    return None;
                }
            },
        };
        let found = id.and_then(|id| self.members.get(&id));
        members::check_active(found.map(|member| member.status == ACTIVE), field, fields);
        found.map(|member| member.id)
    }

    /// The project and the task of a row.
    pub(super) fn work(
        &self,
        project: Option<&ProjectRef>,
        task: Option<TaskId>,
        fields: &mut FieldErrors,
    ) -> (Option<&Project>, Option<&Task>) {
        let found = match project {
            Some(ProjectRef::Id(id)) => self.projects.get(id),
            Some(ProjectRef::Code(code)) => {
                self.by_code.get(&code.key()).and_then(|id| self.projects.get(id))
            }
            None => None,
        };
        match (project, found) {
            (Some(ProjectRef::Id(_)), None) => {
                fields.add("project_id", "UNKNOWN_PROJECT", "There is no such project.");
            }
            (Some(ProjectRef::Code(_)), None) => {
                fields.add("project_code", "UNKNOWN_PROJECT", "There is no project with this code.");
            }
            _ => {}
        }
        let Some(id) = task else { return (found, None) };
        let Some(task) = self.tasks.get(&id) else {
            fields.add("task_id", "UNKNOWN_TASK", "There is no such task.");
            return (found, None);
        };
        match (project, found) {
            (None, _) => (task.project_id.and_then(|id| self.projects.get(&id)), Some(task)),
            (Some(_), Some(project)) if task.project_id != Some(project.id) => {
                add_wrong_project_error(fields);
                (found, None)
            }
            _ => (found, Some(task)),
        }
    }

    /// The ids of the tags with these names, sorted and without duplicates.
    pub(super) fn tags(&self, names: &[TagName], fields: &mut FieldErrors) -> Vec<TagId> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            match self.tags.get(&name.key()) {
                Some(tag) => found.push(*tag),
                None => {
                    fields.add("tags", "UNKNOWN_TAG", format!("There is no tag “{}”.", name.as_str()));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The members in the file, and the caller if a row names no member. Locks them in the order of their ids.
async fn lock_members(
    tx: &OrgTx<TimeEntriesCreate>,
    rows: &[ImportedEntry],
) -> Result<(BTreeMap<MemberId, Member>, HashMap<String, MemberId>)> {
    let (mut ids, mut emails) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        match &row.member {
            Some(ImportMemberRef::Id(id)) => drop(ids.insert(*id)),
            Some(ImportMemberRef::Email(email)) => drop(emails.insert(email.key().to_owned())),
            None => ids.extend(tx.member()),
        }
    }
    let mut by_email = HashMap::new();
    let members_with_users = tx.find::<members::Entity>().with::<users::Entity>();
    for (member, user) in members_with_users.all_of(users::Column::EmailCanonical, emails).await? {
        ids.insert(member.id);
        by_email.insert(user.email_canonical, member.id);
    }
    let locked = tx.find::<members::Entity>().all_locked_of(ids).await?;
    Ok((locked.into_iter().map(|member| (member.id, member)).collect(), by_email))
}

async fn tasks_of(tx: &OrgTx<TimeEntriesCreate>, rows: &[ImportedEntry]) -> Result<HashMap<TaskId, Task>> {
    let ids: BTreeSet<_> = rows.iter().filter_map(|row| row.task).collect();
    let found = tx.find::<tasks::Entity>().filter(tasks::visible(tx));
    let found = found.all_of(tasks::Column::Id, ids).await?;
    Ok(found.into_iter().map(|task| (task.id, task)).collect())
}

/// The projects in the file, and the projects of the tasks in it.
async fn projects_of(
    tx: &OrgTx<TimeEntriesCreate>,
    rows: &[ImportedEntry],
    tasks: &HashMap<TaskId, Task>,
) -> Result<HashMap<ProjectId, Project>> {
    let mut ids: BTreeSet<_> = tasks.values().filter_map(|task| task.project_id).collect();
    let mut codes = BTreeSet::new();
    for row in rows {
        match &row.project {
            Some(ProjectRef::Id(id)) => drop(ids.insert(*id)),
            Some(ProjectRef::Code(code)) => drop(codes.insert(code.key())),
            None => {}
        }
    }
    let visible_projects = || tx.find::<projects::Entity>().filter(projects::visible(tx));
    let mut found = visible_projects().all_of(projects::Column::Id, ids).await?;
    found.extend(visible_projects().all_of(projects::Column::CodeKey, codes).await?);
    Ok(found.into_iter().map(|project| (project.id, project)).collect())
}

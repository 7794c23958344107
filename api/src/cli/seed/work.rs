//! The work of the demo users: tasks with tags, and four weeks of time entries.

use chrono::{Datelike, Days, NaiveTime, TimeDelta, Weekday};
use insula_core::{
    base::{
        ids::{MemberId, ProjectId, TagId},
        pagination::{PageRequest, Sort},
        permissions::{ProjectsRead, TasksCreate, TimeEntriesCreate},
        text::{Activity, Notes, TagName, TaskTitle},
    },
    tenancy::{
        authorization::{self, Caller},
        organizations::OrgRef,
    },
    work::{
        projects::{self, ProjectFilter, ProjectKey},
        tags,
        tasks::{self, NewTask, Priority, TaskStatus},
        time_entries::{self, NewTimeEntry, ProjectRef, TimeEntryFields},
    },
};

use super::{super::CliError, SLUG, Seed};

const TAGS: [&str; 3] = ["Meeting", "Design", "Remote"];

/// Title, status, priority, index of the project.
const TASKS: [(&str, TaskStatus, Priority, usize); 9] = [
    ("Collect what the pages must say", TaskStatus::Done, Priority::Normal, 0),
    ("Draw the start page", TaskStatus::InProgress, Priority::High, 0),
    ("Move the blog", TaskStatus::Todo, Priority::Low, 0),
    ("Log in with a passkey", TaskStatus::InProgress, Priority::High, 1),
    ("Work without a network", TaskStatus::Todo, Priority::Normal, 1),
    ("Renew the certificates", TaskStatus::Todo, Priority::Urgent, 2),
    ("Answer what came in on Monday", TaskStatus::Done, Priority::Normal, 3),
    ("Try a faster index", TaskStatus::Cancelled, Priority::Low, 4),
    ("Plan the summer", TaskStatus::Todo, Priority::Normal, 5),
];

/// Start hour, minutes, activity.
const DAY: [(u32, i64, &str); 3] = [(8, 150, "Design"), (11, 60, "Meeting"), (13, 210, "Development")];

const WEEKS: u64 = 4;

/// Adds tags, tasks and the time entries of `people`. There are no time entries of today.
pub(super) async fn add(seed: &Seed<'_>, people: &[Caller]) -> Result<(), CliError> {
    let Some(owner) = people.first() else { return Ok(()) };
    let projects = projects_of(seed, owner).await?;
    let mut assignees = Vec::new();
    for person in people {
        assignees.extend(authorize::<TimeEntriesCreate>(seed, person).await?.facts().member);
    }
    let tags = add_tasks(seed, owner, &projects, &assignees).await?;
    for (place, person) in people.iter().enumerate() {
        add_time_entries(seed, person, place, &projects, &tags).await?;
    }
    Ok(())
}

async fn authorize<P: insula_core::base::permissions::RequiredPermission>(
    seed: &Seed<'_>,
    caller: &Caller,
) -> Result<insula_core::base::permissions::Authorized<P>, CliError> {
    Ok(authorization::authorize::<P>(seed.db, caller, &OrgRef::parse(SLUG)).await?)
}

/// The projects of the demo, oldest first.
async fn projects_of(seed: &Seed<'_>, owner: &Caller) -> Result<Vec<ProjectId>, CliError> {
    let tx = seed.db.begin(authorize::<ProjectsRead>(seed, owner).await?).await?;
    let sort = Sort { key: ProjectKey::CreatedAt, descending: false };
    let listing = PageRequest { limit: 100, sort, after: None };
    let page = projects::list(&tx, ProjectFilter::default(), listing).await?;
    Ok(page.data.into_iter().map(|project| project.id).collect())
}

async fn add_tasks(
    seed: &Seed<'_>,
    owner: &Caller,
    projects: &[ProjectId],
    assignees: &[MemberId],
) -> Result<Vec<TagId>, CliError> {
    let tx = seed.db.begin(authorize::<TasksCreate>(seed, owner).await?).await?;
    let mut tags = Vec::new();
    for name in TAGS {
        tags.push(tags::create(&tx, valid(TagName::parse(name))?).await?.id);
    }
    let mut new = Vec::new();
    for (place, (title, status, priority, project)) in TASKS.into_iter().enumerate() {
        new.push(NewTask {
            title: valid(TaskTitle::parse(title))?,
            description: None,
            status,
            priority,
            due_at: Some(tx.now() + TimeDelta::days(7 + 3 * i64::try_from(place).unwrap_or_default())),
            project_id: projects.get(project).copied(),
            assignee_id: turn(assignees, place),
            position: None,
            tags: turn(&tags, place).into_iter().collect(),
        });
    }
    for outcome in tasks::create(&tx, new).await? {
        outcome?;
    }
    tx.commit().await?;
    Ok(tags)
}

/// Adds four weeks of time entries of one user, without weekends.
async fn add_time_entries(
    seed: &Seed<'_>,
    person: &Caller,
    place: usize,
    projects: &[ProjectId],
    tags: &[TagId],
) -> Result<(), CliError> {
    let tx = seed.db.begin(authorize::<TimeEntriesCreate>(seed, person).await?).await?;
    let today = tx.now().date_naive();
    for ago in (1..=7 * WEEKS).rev() {
        let Some(day) = today.checked_sub_days(Days::new(ago)) else { continue };
        if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            continue;
        }
        let number = place + usize::try_from(ago).unwrap_or_default();
        for (part, (hour, minutes, activity)) in DAY.into_iter().enumerate() {
            let Some(hour) = NaiveTime::from_hms_opt(hour, 0, 0) else { continue };
            let started_at = day.and_time(hour).and_utc();
            let lasts = TimeDelta::minutes(minutes - 10 * i64::try_from(number % 4).unwrap_or_default());
            let about = TimeEntryFields {
                project: turn(projects, number + part).map(ProjectRef::Id),
                activity: Some(valid(Activity::parse(activity))?),
                notes: (part == 1).then(|| Notes::parse("With everybody").ok()).flatten(),
                billable: part != 1,
                tags: turn(tags, part).into_iter().collect(),
                ..TimeEntryFields::default()
            };
            let new = NewTimeEntry { member: None, about, started_at, ended_at: started_at + lasts };
            time_entries::create(&tx, new).await?;
        }
    }
    Ok(tx.commit().await?)
}

fn turn<T: Copy>(things: &[T], number: usize) -> Option<T> {
    things.get(number % things.len().max(1)).copied()
}

fn valid<T>(text: Result<T, insula_core::base::text::InvalidText>) -> Result<T, CliError> {
    text.map_err(|error| CliError::failed(error.message))
}

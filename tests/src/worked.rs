//! Work that a test puts into the database itself: more of it than anybody would send, and what no door makes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Vault;

/// Rows of one statement.
const ROWS: usize = 500;

/// A time entry to plant; all ids as texts.
#[derive(Clone, Debug, Default)]
pub struct Worked {
    /// The entry.
    pub id: String,
    /// Who worked.
    pub member: String,
    /// On which project.
    pub project: Option<String>,
    /// On which task.
    pub task: Option<String>,
    /// What kind of work.
    pub activity: Option<String>,
    /// What was done.
    pub notes: Option<String>,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// When it ended; `None`: it runs.
    pub ended: Option<i64>,
    /// Is it to be paid for?
    pub billable: bool,
    /// Was it deleted?
    pub is_deleted: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A task to plant; all ids as texts.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The task.
    pub id: String,
    /// Of which project.
    pub project: Option<String>,
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it stands; empty: `todo`.
    pub status: &'static str,
    /// Who is to do it.
    pub assignee: Option<String>,
    /// When it was made, in seconds since 1970; it is due an hour later.
    pub created: i64,
    /// Was it deleted?
    pub is_deleted: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A new id, which sorts after those made before.
#[expect(clippy::disallowed_methods, reason = "no transaction's instant is at hand")]
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// An instant in seconds since 1970.
pub fn seconds(instant: &str) -> i64 {
    instant.parse::<DateTime<Utc>>().unwrap_or_else(|_| panic!("{instant} is no instant")).timestamp()
}

/// As the program writes it into the database.
fn stored(seconds: i64) -> String {
    let instant = DateTime::<Utc>::from_timestamp(seconds, 0).expect("an instant of this age");
    format!("'{}'", instant.to_rfc3339())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn optional(value: Option<&String>, literal: impl Fn(&str) -> String) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| literal(value))
}

impl Vault {
    /// The id of an organization.
    pub async fn organization_id(&self, slug: &str) -> String {
        let id = self.hex("id");
        self.uuid(&format!("SELECT {id} FROM organizations WHERE slug = '{slug}'")).await
    }

    /// The id of a person's membership.
    pub async fn member_id(&self, slug: &str, email: &str) -> String {
        let id = self.hex("m.id");
        let sql = format!(
            "SELECT {id} FROM members m JOIN organizations o ON o.id = m.organization_id
             JOIN users u ON u.id = m.user_id WHERE o.slug = '{slug}' AND u.email = '{email}'"
        );
        self.uuid(&sql).await
    }

    async fn uuid(&self, sql: &str) -> String {
        let hex = self.text(sql).await;
        Uuid::parse_str(&hex).unwrap_or_else(|_| panic!("{hex} is no id")).to_string()
    }

    async fn insert(&self, into: &str, rows: Vec<String>) {
        for rows in rows.chunks(ROWS) {
            let sql = format!("INSERT INTO {into} VALUES {}", rows.join(", "));
            assert_eq!(self.execute(&sql).await, rows.len() as u64);
        }
    }

    /// Gives an organization a tag; gives its id.
    pub async fn plant_tag(&self, slug: &str, name: &str) -> String {
        let (org, id) = (self.organization_id(slug).await, new_id());
        let at = stored(0);
        let row = format!(
            "({}, {}, {}, {}, 1, {at}, {at})",
            self.id(&id),
            self.id(&org),
            quoted(name),
            quoted(&name.to_lowercase())
        );
        let columns = "tags (id, organization_id, name, name_key, version, created_at, updated_at)";
        self.insert(columns, vec![row]).await;
        id
    }

    /// Puts tasks into an organization.
    pub async fn plant_tasks(&self, slug: &str, jobs: &[Job]) {
        let org = self.id(&self.organization_id(slug).await);
        let (mut rows, mut links) = (Vec::new(), Vec::new());
        for (place, job) in jobs.iter().enumerate() {
            let (at, due) = (stored(job.created), stored(job.created + 3600));
            let status = if job.status.is_empty() { "todo" } else { job.status };
            rows.push(format!(
                "({}, {org}, {}, {}, {}, '{status}', 2, {due}, {}, {place}, 1, {}, {at}, {at})",
                self.id(&job.id),
                optional(job.project.as_ref(), |id| self.id(id)),
                quoted(&job.title),
                optional(job.description.as_ref(), quoted),
                optional(job.assignee.as_ref(), |id| self.id(id)),
                if job.is_deleted { &at } else { "NULL" },
            ));
            links.extend(job.tags.iter().map(|tag| self.link(&org, &job.id, tag)));
        }
        let columns = "tasks (id, organization_id, project_id, title, description, status, priority, due_at,
                       assignee_id, position, version, deleted_at, created_at, updated_at)";
        self.insert(columns, rows).await;
        self.insert("task_tags (id, organization_id, task_id, tag_id, created_at)", links).await;
    }

    /// Puts time entries into an organization.
    pub async fn plant_entries(&self, slug: &str, entries: &[Worked]) {
        let org = self.id(&self.organization_id(slug).await);
        let (mut rows, mut links) = (Vec::new(), Vec::new());
        for entry in entries {
            let at = stored(entry.started);
            rows.push(format!(
                "({}, {org}, {}, {}, {}, {}, {}, {at}, {}, {}, 'manual', 1, {}, {at}, {at})",
                self.id(&entry.id),
                self.id(&entry.member),
                optional(entry.project.as_ref(), |id| self.id(id)),
                optional(entry.task.as_ref(), |id| self.id(id)),
                optional(entry.activity.as_ref(), quoted),
                optional(entry.notes.as_ref(), quoted),
                entry.ended.map_or_else(|| "NULL".to_owned(), stored),
                entry.billable,
                if entry.is_deleted { &at } else { "NULL" },
            ));
            links.extend(entry.tags.iter().map(|tag| self.link(&org, &entry.id, tag)));
        }
        let columns = "time_entries (id, organization_id, member_id, project_id, task_id, activity, notes,
                       started_at, ended_at, billable, source, version, deleted_at, created_at, updated_at)";
        self.insert(columns, rows).await;
        self.insert("time_entry_tags (id, organization_id, time_entry_id, tag_id, created_at)", links).await;
    }

    fn link(&self, org: &str, row: &str, tag: &str) -> String {
        let link = self.id(&new_id());
        format!("({link}, {org}, {}, {}, {})", self.id(row), self.id(tag), stored(0))
    }

    /// Puts very many time entries of half an hour into an organization, by one statement: one after the other since 2020,
    /// of one member, on one project.
    pub async fn toil(&self, slug: &str, (member, project): (&str, &str), number: usize) {
        let (id, numbers) = self.numbers(number);
        let org = self.organization_id(slug).await;
        let (org, member, project) = (self.id(&org), self.id(member), self.id(project));
        let from = seconds("2020-01-01T00:00:00Z");
        let at = |minutes: u32| match self {
            Self::Sqlite(_) => {
                format!(
                    "strftime('%Y-%m-%dT%H:%M:%S+00:00', {from} + n * 2400 + {minutes} * 60, 'unixepoch')"
                )
            }
            Self::Postgres(_) => format!("to_timestamp({from}::bigint + n::bigint * 2400 + {minutes} * 60)"),
        };
        let (started, ended) = (at(0), at(30));
        let insert = format!(
            "INSERT INTO time_entries (id, organization_id, member_id, project_id, activity, notes, started_at,
             ended_at, billable, source, version, created_at, updated_at)
             {numbers}
             SELECT {id}, {org}, {member}, {project}, 'Building', 'What was done in the half hour ' || n, {started},
             {ended}, true, 'manual', 1, {started}, {started} FROM numbers"
        );
        assert_eq!(self.execute(&insert).await, number as u64);
    }
}

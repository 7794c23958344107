//! Answers that change nothing.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use hyper::header::HeaderValue;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{Failure, connections::Database, json::JsonObject};

/// Rows of a page.
const PAGE: usize = 20;

/// The row that a page begins after.
type PageStart = (DateTime<Utc>, Uuid);

/// What is read once, at the start.
pub(crate) struct Remembered {
    /// The newest session of the first user.
    pub(crate) session: Uuid,
    pub(crate) user: Uuid,
    /// The answers to "who am I" by token.
    users: RwLock<HashMap<HeaderValue, Vec<u8>>>,
    /// The organizations by slug, with the member that is the first user.
    pub(crate) organizations: HashMap<String, (Uuid, Uuid)>,
    projects_after: PageStart,
    entries_after: PageStart,
}

impl Remembered {
    pub(crate) async fn load(database: &Database) -> Result<Self, Failure> {
        let client = &database.reader().client;
        let session = client
            .query_one("SELECT s.id, s.user_id FROM sessions s JOIN users u ON u.id = s.user_id ORDER BY u.created_at, s.created_at DESC LIMIT 1", &[])
            .await?;
        let (session, user): (Uuid, Uuid) = (session.get(0), session.get(1));
        let rows = client
            .query(
                "SELECT o.slug, o.id, m.id FROM organizations o JOIN members m ON m.organization_id = o.id
                 WHERE m.user_id = $1",
                &[&user],
            )
            .await?;
        let organizations: HashMap<_, _> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let page_start = async |table: &str, column: &str, order: &str, slug: &str, offset: i64| {
            let query = format!(
                "SELECT {column}, id FROM {table} WHERE organization_id = (SELECT id FROM organizations WHERE slug = $1)
                 ORDER BY {column} {order}, id {order} OFFSET $2 LIMIT 1"
            );
            let row = client.query_one(&query, &[&slug, &offset]).await?;
            Ok::<_, Failure>((row.get(0), row.get(1)))
        };
        let projects_after = page_start("projects", "created_at", "ASC", "bench-0", 59).await?;
        let entries_after = page_start("time_entries", "started_at", "DESC", "bench-deep", 4_999).await?;
        let users = RwLock::default();
        Ok(Self { session, user, users, organizations, projects_after, entries_after })
    }

    /// Who has a token, from memory after the first request. Every token is that of the first user.
    pub(crate) async fn user(&self, database: &Database, token: &HeaderValue) -> Result<Vec<u8>, Failure> {
        let known = self.users.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = user(database, self.session).await?;
        self.users.write().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), answer.clone());
        Ok(answer)
    }
}

/// Who has a session, with one statement.
pub(crate) async fn user(database: &Database, session: Uuid) -> Result<Vec<u8>, Failure> {
    let connection = database.reader();
    let row = connection.client.query_one(&connection.user, &[&session]).await?;
    let mut out = Vec::with_capacity(640);
    let mut object = JsonObject::begin(&mut out);
    object.id("id", row.get(0)).text("email", row.get(1)).text("username", row.get(2));
    object.text("first_name", row.get(3)).text("last_name", row.get(4)).text("display_name", row.get(1));
    object.text("locale", row.get(5)).text("timezone", row.get(6)).text("week_start", row.get(7));
    object.id("default_organization_id", row.get(8));
    object.plain("is_active", row.get::<_, bool>(9)).plain("is_superuser", row.get::<_, bool>(10));
    object.instant("email_verified_at", row.get(11)).instant("last_login_at", row.get(12));
    object.plain("version", row.get::<_, i64>(13));
    object.instant("created_at", row.get(14)).instant("updated_at", row.get(15));
    object.end();
    Ok(out)
}

/// A page of a list: `/projects`, `/projects/deep`, `/tasks`, `/entries`, `/entries/deep`, with one statement.
pub(crate) async fn page(
    database: &Database,
    remembered: &Remembered,
    path: &str,
) -> Result<Vec<u8>, Failure> {
    let connection = database.reader();
    let organization = |slug: &str| {
        remembered.organizations.get(slug).map(|(id, _)| *id).ok_or("the database was not filled")
    };
    let (statement, slug, after, write): (_, _, _, fn(&mut Vec<u8>, Uuid, &Row)) = match path {
        "/projects" => (&connection.projects[0], "bench-0", None, project),
        "/projects/deep" => (&connection.projects[1], "bench-0", Some(&remembered.projects_after), project),
        "/tasks" => (&connection.tasks, "bench-0", None, task),
        "/entries" => (&connection.entries[0], "bench-0", None, entry),
        "/entries/deep" => (&connection.entries[1], "bench-deep", Some(&remembered.entries_after), entry),
        _ => return Err("no such path".into()),
    };
    let organization = organization(slug)?;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&organization];
    if let Some((instant, id)) = after {
        parameters.extend([instant as &(dyn ToSql + Sync), id]);
    }
    let rows = connection.client.query(statement, &parameters).await?;
    let mut out = Vec::with_capacity(12 * 1024);
    out.extend_from_slice(b"{\"data\":[");
    for (number, row) in rows.iter().take(PAGE).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write(&mut out, organization, row);
    }
    out.extend_from_slice(b"],\"next_cursor\":");
    let next: Option<String> =
        rows.get(PAGE).map(|_| rows[PAGE - 1].get::<_, Uuid>(0).simple().to_string().repeat(2));
    serde_json::to_writer(&mut out, &next)?;
    out.extend_from_slice(if next.is_some() { b",\"has_more\":true}" } else { b",\"has_more\":false}" });
    Ok(out)
}

fn project(out: &mut Vec<u8>, organization: Uuid, row: &Row) {
    let mut object = JsonObject::begin(out);
    object.id("id", row.get(0)).id("organization_id", Some(organization));
    object.text("code", row.get(1)).text("name", row.get(2)).text("color", row.get(3));
    object.plain("is_private", row.get::<_, bool>(4)).instant("archived_at", row.get(5));
    match row.get::<_, Option<i64>>(6) {
        Some(seconds) => object.plain("estimate_seconds", seconds),
        None => object.plain("estimate_seconds", "null"),
    };
    object.plain("version", row.get::<_, i64>(7));
    object.instant("created_at", row.get(8)).instant("updated_at", row.get(9));
    object.end();
}

fn task(out: &mut Vec<u8>, organization: Uuid, row: &Row) {
    const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];
    let mut object = JsonObject::begin(out);
    object.id("id", row.get(0)).id("organization_id", Some(organization));
    object.text("title", row.get(2)).text("description", row.get(3)).text("status", row.get(4));
    let priority = usize::try_from(row.get::<_, i32>(5)).unwrap_or_default();
    object.text("priority", PRIORITIES.get(priority).copied()).instant("due_at", row.get(6));
    object.id("project_id", row.get(1)).id("assignee_id", row.get(7)).id("created_by", row.get(8));
    object.plain("position", row.get::<_, i64>(9)).ids("tags", &row.get::<_, Vec<Uuid>>(14));
    object.instant("completed_at", row.get(10)).plain("version", row.get::<_, i64>(11));
    object.instant("created_at", row.get(12)).instant("updated_at", row.get(13));
    object.end();
}

fn entry(out: &mut Vec<u8>, organization: Uuid, row: &Row) {
    let (started, ended): (DateTime<Utc>, Option<DateTime<Utc>>) = (row.get(6), row.get(7));
    let mut object = JsonObject::begin(out);
    object.id("id", row.get(0)).id("organization_id", Some(organization)).id("member_id", row.get(1));
    object.id("project_id", row.get(2)).id("task_id", row.get(3));
    object.text("activity", row.get(4)).text("notes", row.get(5));
    object.instant("started_at", Some(started)).instant("ended_at", ended);
    object.plain("duration_seconds", ended.map_or(0, |ended| (ended - started).num_seconds()));
    object.plain("billable", row.get::<_, bool>(8)).ids("tags", &row.get::<_, Vec<Uuid>>(13));
    object.text("source", row.get(9)).plain("version", row.get::<_, i64>(10));
    object.instant("created_at", row.get(11)).instant("updated_at", row.get(12));
    object.end();
}

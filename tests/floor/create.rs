//! What creates a row: `POST /projects`, `/tasks`, `/entries`, with the slug of an organization as the query.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use hyper::Uri;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_postgres::{Statement, types::ToSql};
use uuid::Uuid;

use crate::{Failure, connections::Database, json::JsonObject, read::Remembered};

/// What the log knows about the first user.
const LABEL: &str = "ada@example.com";

/// What all rows have.
struct NewRow {
    id: Uuid,
    organization: Uuid,
    member: Uuid,
    now: DateTime<Utc>,
}

/// Creates a row, and its audit event, with one statement. Returns its JSON.
pub(crate) async fn create(
    database: &Database,
    remembered: &Remembered,
    uri: &Uri,
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    let body: Value = serde_json::from_slice(body)?;
    let slug = uri.query().ok_or("no organization")?;
    let (organization, member) = *remembered.organizations.get(slug).ok_or("no such organization")?;
    let (id, now) = (Uuid::now_v7(), Utc::now().trunc_subsecs(6));
    let row = NewRow { id, organization, member, now };
    match uri.path() {
        "/projects" => project(database, remembered.user, &row, &body).await,
        "/tasks" => task(database, remembered.user, &row, &body).await,
        "/entries" => entry(database, remembered.user, &row, &body).await,
        _ => Err("no such path".into()),
    }
}

async fn project(database: &Database, user: Uuid, row: &NewRow, body: &Value) -> Result<Vec<u8>, Failure> {
    let connection = database.writer();
    let (code, name) = (body["code"].as_str().ok_or("no code")?, body["name"].as_str().ok_or("no name")?);
    let mut out = Vec::with_capacity(512);
    let mut object = begin(&mut out, row);
    object.text("code", Some(code)).text("name", Some(name)).text("color", None);
    object.plain("is_private", false).instant("archived_at", None).text("estimate_seconds", None);
    end(object, row);
    let details = format!(
        r#"{{"after":{{"code":"{code}","color":null,"estimate_seconds":null,"is_private":false,"name":"{name}"}}}}"#
    );
    let parameters: [&(dyn ToSql + Sync); 5] = [&row.id, &row.organization, &code, &name, &row.now];
    run(&connection.client, &connection.new_project, &parameters, user, "project.created", &details, &[])
        .await?;
    Ok(out)
}

async fn task(database: &Database, user: Uuid, row: &NewRow, body: &Value) -> Result<Vec<u8>, Failure> {
    let connection = database.writer();
    let title = body["title"].as_str().ok_or("no title")?;
    let project = body["project_id"].as_str().map(Uuid::parse_str).transpose()?;
    let details = format!(
        r#"{{"after":{{"assignee_id":null,"description":null,"due_at":null,"priority":"normal","project_id":{},"status":"todo","tags":[],"title":"{title}"}}}}"#,
        body["project_id"]
    );
    let parameters: [&(dyn ToSql + Sync); 5] = [&row.id, &row.organization, &title, &row.member, &row.now];
    let (statement, more): (_, &[&(dyn ToSql + Sync)]) = match &project {
        Some(project) => (&connection.new_task_in_project, &[project]),
        None => (&connection.new_task, &[]),
    };
    let position =
        run(&connection.client, statement, &parameters, user, "task.created", &details, more).await?;
    let mut out = Vec::with_capacity(512);
    let mut object = begin(&mut out, row);
    object.text("title", Some(title)).text("description", None).text("status", Some("todo"));
    object.text("priority", Some("normal")).instant("due_at", None).id("project_id", project);
    object.id("assignee_id", None).id("created_by", Some(row.member)).plain("position", position);
    object.ids("tags", &[]).instant("completed_at", None);
    end(object, row);
    Ok(out)
}

async fn entry(database: &Database, user: Uuid, row: &NewRow, body: &Value) -> Result<Vec<u8>, Failure> {
    let connection = database.writer();
    let activity = body["activity"].as_str().ok_or("no activity")?;
    let started: DateTime<Utc> = body["started_at"].as_str().ok_or("no start")?.parse()?;
    let ended = started + TimeDelta::hours(1);
    let details = format!(
        r#"{{"after":{{"activity":"{activity}","billable":false,"ended_at":"{}","member_id":"{}","notes":null,"project_id":null,"started_at":{},"tags":[],"task_id":null}}}}"#,
        ended.format("%FT%TZ"),
        row.member,
        body["started_at"]
    );
    let parameters: [&(dyn ToSql + Sync); 5] = [&row.id, &row.organization, &activity, &row.member, &row.now];
    let more: [&(dyn ToSql + Sync); 2] = [&started, &ended];
    run(&connection.client, &connection.new_entry, &parameters, user, "time_entry.created", &details, &more)
        .await?;
    let mut out = Vec::with_capacity(512);
    let mut object = begin(&mut out, row);
    object.id("member_id", Some(row.member)).id("project_id", None).id("task_id", None);
    object.text("activity", Some(activity)).text("notes", None);
    object.instant("started_at", Some(started)).instant("ended_at", Some(ended));
    object.plain("duration_seconds", 3600).plain("billable", false).ids("tags", &[]);
    object.text("source", Some("manual"));
    end(object, row);
    Ok(out)
}

fn begin<'a>(out: &'a mut Vec<u8>, row: &NewRow) -> JsonObject<'a> {
    let mut object = JsonObject::begin(out);
    object.id("id", Some(row.id)).id("organization_id", Some(row.organization));
    object
}

fn end(mut object: JsonObject<'_>, row: &NewRow) {
    object.plain("version", 1).instant("created_at", Some(row.now)).instant("updated_at", Some(row.now));
    object.end();
}

/// Runs a statement of [`crate::statements::with_event`]; returns its number.
async fn run(
    client: &tokio_postgres::Client,
    statement: &Statement,
    row: &[&(dyn ToSql + Sync); 5],
    user: Uuid,
    action: &str,
    details: &str,
    more: &[&(dyn ToSql + Sync)],
) -> Result<i64, Failure> {
    let salt = format!("{:032x}", fastrand::u128(..));
    let covered = format!(r#"{{"ip":"127.0.0.1","label":"{LABEL}","user_agent":null}}"#);
    let mut hash = String::with_capacity(64);
    for byte in Sha256::new().chain_update(&salt).chain_update(covered).finalize() {
        hash.push_str(HEX[usize::from(byte >> 4)]);
        hash.push_str(HEX[usize::from(byte & 15)]);
    }
    let (event, request) = (Uuid::now_v7(), format!("{:032x}", fastrand::u128(..)));
    let event: [&(dyn ToSql + Sync); 8] = [&event, &user, &action, &details, &request, &hash, &salt, &LABEL];
    let parameters: Vec<_> = row.iter().chain(&event).chain(more).copied().collect();
    Ok(client.query_one(statement, &parameters).await?.get(0))
}

const HEX: [&str; 16] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];

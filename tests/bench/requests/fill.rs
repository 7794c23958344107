//! Fills the database.

use insula_tests::{DatabaseKind, PASSWORD, console};
use serde_json::{Value, json};

use super::{Scale, scripts::MANY};
use crate::setup::Setup;

/// A user whose sessions are refreshed.
pub(super) const REFRESHER: &str = "rachel@example.com";

/// Time entries of organizations that grow, in the order of their sizes.
pub(super) const SIZES: [u32; 4] = [100, 1_000, 10_000, 100_000];

/// Pages of 100 before the deep one.
const PAGES: usize = 50;

/// What the scripts need to know.
pub(super) struct Filled {
    /// The access token of the first user.
    pub(super) token: String,
    /// A project in the organization in which rows are created.
    pub(super) project: Value,
    /// After the 60th project.
    pub(super) projects_cursor: String,
    /// The organization of the deep page of entries.
    pub(super) deep_organization: &'static str,
    /// After the 5,000th entry; on SQLite, the 60th.
    pub(super) entries_cursor: String,
}

/// Fills the database and waits until all background work has ended.
pub(super) async fn fill(setup: &mut Setup, scale: Scale) -> Result<Filled, String> {
    console::progress("filling the database");
    let refresher = json!({ "email": REFRESHER, "password": PASSWORD });
    setup.post("/auth/register", refresher).await?;
    let token = setup.log_in().await?;
    let (organizations, entries) = (scale.organizations.to_string(), scale.entries.to_string());
    let filled = setup
        .cluster
        .env()
        .insula(&["seed", "load", "--organizations", &organizations, "--entries", &entries], &[]);
    if !filled.status.success() {
        return Err(String::from_utf8_lossy(&filled.stderr).into_owned());
    }
    for number in 0..=MANY + 1 {
        create_organization(setup, &format!("bench-{number}")).await?;
    }
    let project = json!({ "code": "ONE", "name": "The project of the tasks" });
    let project = setup.post(&format!("/organizations/bench-{}/projects", MANY + 1), project).await?;
    lists(setup).await?;
    let deep_organization = match setup.cluster.database_kind {
        DatabaseKind::Postgres => {
            grow(setup).await?;
            "bench-deep"
        }
        DatabaseKind::Sqlite => "bench-0",
    };
    setup.database.execute("ANALYZE").await;
    setup.cluster.drain().await?;
    let projects_cursor = cursor(setup, "/organizations/bench-0/projects?limit=60", 1).await?;
    let entries = format!("/organizations/{deep_organization}/time-entries");
    let entries_cursor = match deep_organization {
        "bench-deep" => cursor(setup, &format!("{entries}?limit=100"), PAGES).await?,
        _ => cursor(setup, &format!("{entries}?limit=60"), 1).await?,
    };
    Ok(Filled { token, project: project["id"].clone(), projects_cursor, deep_organization, entries_cursor })
}

async fn create_organization(setup: &Setup, slug: &str) -> Result<Value, String> {
    setup.post("/organizations", json!({ "slug": slug, "name": slug })).await
}

/// 100 projects, tasks and time entries in `bench-0`, for the lists.
async fn lists(setup: &Setup) -> Result<(), String> {
    let acme = "/organizations/bench-0";
    let (mut tags, mut projects) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let tag = setup.post(&format!("{acme}/tags"), json!({ "name": format!("tag-{number}") })).await?;
        tags.push(tag["id"].clone());
    }
    for number in 0..100 {
        let project = json!({ "code": format!("P{number}"), "name": format!("Project {number}") });
        projects.push(setup.post(&format!("{acme}/projects"), project).await?["id"].clone());
    }
    for number in 0..100 {
        let task = json!({ "title": format!("Task {number}"), "project_id": projects[0], "tags": tags[..2] });
        setup.post(&format!("{acme}/tasks"), task).await?;
        let (day, hour) = (number % 28 + 1, 8 + number / 28);
        let entry = json!({
            "started_at": format!("2026-03-{day:02}T{hour:02}:00:00Z"),
            "ended_at": format!("2026-03-{day:02}T{hour:02}:30:00Z"),
            "project_id": projects[0],
            "tags": tags[..2],
        });
        setup.post(&format!("{acme}/time-entries"), entry).await?;
    }
    Ok(())
}

/// One organization of each of [`SIZES`], and `bench-deep`, which has as many as the largest.
async fn grow(setup: &Setup) -> Result<(), String> {
    let largest = SIZES[SIZES.len() - 1];
    let sizes = SIZES.iter().map(|size| (format!("bench-rows-{size}"), *size));
    for (slug, size) in sizes.chain([("bench-deep".to_owned(), largest)]) {
        create_organization(setup, &slug).await?;
        setup
            .database
            .execute(&format!(
                "INSERT INTO time_entries (id, organization_id, member_id, activity, started_at, ended_at, billable,
                 source, version, created_at, updated_at)
                 SELECT gen_random_uuid(), o.id, m.id, 'Made-up work', begun, begun + interval '90 minutes', false,
                 'import', 1, now(), now()
                 FROM organizations o JOIN members m ON m.organization_id = o.id, generate_series(1, {size}) n,
                 LATERAL (SELECT date_trunc('second', now() - n * interval '97 minutes') AS begun) b
                 WHERE o.slug = '{slug}'"
            ))
            .await;
    }
    Ok(())
}

/// The cursor after some pages.
async fn cursor(setup: &Setup, path: &str, pages: usize) -> Result<String, String> {
    let mut cursor = String::new();
    for _ in 0..pages {
        let after = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let page = setup.get(&format!("{path}{after}")).await?;
        cursor = page["next_cursor"].as_str().ok_or("a page without a next one")?.to_owned();
    }
    Ok(cursor)
}

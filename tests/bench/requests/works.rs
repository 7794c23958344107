//! What is measured.

use super::{
    fill::{Filled, REFRESHER},
    scripts::{Bodies, Organizations, Scripts},
};
use insula_tests::PASSWORD;

/// What wrk sends.
pub(super) enum Script {
    /// The same script in each round.
    Same(String),
    /// Refreshes of sessions, which begin before each round.
    Refresh,
}

/// A kind of request.
pub(super) struct Work {
    pub(super) name: &'static str,
    pub(super) script: Script,
    pub(super) connections: u32,
    /// The step of `counts.txt` with its statements.
    pub(super) operation: Option<&'static str>,
    /// The work of the floor that it is compared with.
    pub(super) floor: Option<&'static str>,
    /// Whether it leaves events that a worker seals.
    pub(super) writes: bool,
}

impl Work {
    fn read(name: &'static str, script: String, operation: &'static str) -> Self {
        let (script, operation) = (Script::Same(script), Some(operation));
        Self { name, script, connections: 32, operation, floor: None, writes: false }
    }

    fn write(name: &'static str, script: String, operation: &'static str) -> Self {
        Self { writes: true, ..Self::read(name, script, operation) }
    }

    fn beside(self, floor: &'static str) -> Self {
        Self { floor: Some(floor), ..self }
    }

    fn on(self, connections: u32) -> Self {
        Self { connections, ..self }
    }
}

const ACME: &str = "/api/v1/organizations/bench-0";

/// The path of the list that the latency over load is measured with.
pub(super) const PROJECTS: &str = "/api/v1/organizations/bench-0/projects?limit=20";

/// What Insula does.
pub(super) fn of_insula(scripts: &Scripts<'_>, filled: &Filled) -> Vec<Work> {
    let (get, bodies) = (|path: &str| scripts.get(path), Bodies::new(&filled.project));
    let list = |list: &str| scripts.get(&format!("{ACME}/{list}"));
    // Another user than the one of the other requests, because a user has a limited number of sessions.
    let login = format!(r#"{{"email":"{REFRESHER}","password":"{PASSWORD}"}}"#);
    let log_in = || scripts.post("/api/v1/auth/login", &login);
    let new_project = |many| scripts.create("projects", bodies.project, many, "");
    let new_entry = |many| scripts.create("time-entries", bodies.entry, many, "");
    let key = "wrk.headers['idempotency-key'] = string.format('key-%d', n)\n";
    let (one, many) = (Organizations::One, Organizations::Many);
    let deep_projects = format!("projects?limit=20&cursor={}", filled.projects_cursor);
    let deep_entries = format!(
        "/api/v1/organizations/{}/time-entries?limit=20&cursor={}",
        filled.deep_organization, filled.entries_cursor
    );
    let report = "reports/summary?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&group_by=project";
    vec![
        Work { operation: None, ..Work::read("health", get("/livez"), "").beside("health") },
        Work::read("who am I", get("/api/v1/users/me"), "getMe").beside("who am I, remembered"),
        Work::read("my permissions", list("me/permissions"), "getMyPermissions")
            .beside("who am I, remembered"),
        Work::read("my organizations", get("/api/v1/users/me/organizations?limit=20"), "listMyOrganizations"),
        Work::read("20 projects", get(PROJECTS), "listProjects").beside("20 projects"),
        Work::read("20 projects, deep page", list(&deep_projects), "listProjects")
            .beside("20 projects, deep page"),
        Work::read("20 tasks with tags", list("tasks?limit=20"), "listTasks").beside("20 tasks with tags"),
        Work::read("20 time entries with tags", list("time-entries?limit=20"), "listTimeEntries")
            .beside("20 time entries with tags"),
        Work::read("20 time entries, deep page", get(&deep_entries), "listTimeEntries")
            .beside("20 time entries, deep page"),
        Work::read("20 audit events", list("audit-events?limit=20"), "listAuditEvents"),
        Work::read("report of a month", list(report), "getReportSummary"),
        Work::write("new project, one organization", new_project(one), "createProject")
            .beside("new project, one organization"),
        Work::write("new project, many", new_project(many), "createProject").beside("new project, many"),
        Work::write(
            "new task, one organization",
            scripts.create("tasks", &bodies.task_in_project, one, ""),
            "createTask",
        )
        .beside("new task, one organization"),
        Work::write("new task, many", scripts.create("tasks", bodies.task, many, ""), "createTask")
            .beside("new task, many"),
        Work::write(
            "new task, idempotency key",
            scripts.create("tasks", bodies.task, many, key),
            "createTask",
        ),
        Work::write("new time entry, one member", new_entry(one), "createTimeEntry")
            .beside("new time entry, one member"),
        Work::write("new time entry, many", new_entry(many), "createTimeEntry")
            .beside("new time entry, many"),
        Work { operation: None, ..Work::write("80 % reads", scripts.mixed(bodies.task), "") },
        Work { script: Script::Refresh, ..Work::write("refresh", String::new(), "refresh") },
        Work::write("log-in", log_in(), "logIn").beside("Argon2id"),
        Work::write("log-in, 512 connections", log_in(), "logIn").beside("Argon2id, 512 connections").on(512),
        Work { operation: None, ..Work::read("health, 512 connections", get("/livez"), "").on(512) },
        Work::read("20 projects, 512 connections", get(PROJECTS), "listProjects").on(512),
        Work::write("new project, many, 512 connections", new_project(many), "createProject").on(512),
    ]
}

/// What the floor does.
pub(super) fn of_floor(scripts: &Scripts<'_>, filled: &Filled) -> Vec<Work> {
    let bodies = Bodies::new(&filled.project);
    let work = |name, script| {
        let script = Script::Same(script);
        Work { name, script, connections: 32, operation: None, floor: None, writes: false }
    };
    let get = |name, path: &str| work(name, scripts.get(path));
    let create = |name, list: &str, body: &str, organizations| {
        work(name, scripts.create_on_floor(list, body, organizations))
    };
    let (one, many) = (Organizations::One, Organizations::Many);
    let argon2 = || scripts.post("/argon2", PASSWORD);
    vec![
        get("health", "/health"),
        get("who am I, one statement", "/users/me"),
        get("who am I, remembered", "/users/me/remembered"),
        get("20 projects", "/projects"),
        get("20 projects, deep page", "/projects/deep"),
        get("20 tasks with tags", "/tasks"),
        get("20 time entries with tags", "/entries"),
        get("20 time entries, deep page", "/entries/deep"),
        create("new project, one organization", "projects", bodies.project, one),
        create("new project, many", "projects", bodies.project, many),
        create("new task, one organization", "tasks", &bodies.task_in_project, one),
        create("new task, many", "tasks", bodies.task, many),
        create("new time entry, one member", "entries", bodies.entry, one),
        create("new time entry, many", "entries", bodies.entry, many),
        work("Argon2id", argon2()),
        work("Argon2id, 512 connections", argon2()).on(512),
    ]
}

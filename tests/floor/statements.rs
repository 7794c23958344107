//! The best statements that we know for the answers.

/// Numbers for events that no worker has to seal, so that the events of the floor do not load Insula.
pub(crate) const SEQUENCE: &str = "CREATE SEQUENCE IF NOT EXISTS floor_seq START 1000000000000 CACHE 1000";

/// The user of a session.
pub(crate) const USER: &str = "SELECT u.id, u.email, u.username, u.first_name, u.last_name, u.locale, u.timezone,
    u.week_start, u.default_organization_id, u.is_active, u.is_superuser, u.email_verified_at, u.last_login_at,
    u.version, u.created_at, u.updated_at
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND s.idle_expires_at > now() AND u.is_active
    AND u.deleted_at IS NULL";

/// The first page.
pub(crate) const PROJECTS: &str =
    "SELECT id, code, name, color, is_private, archived_at, estimate_seconds, version,
    created_at, updated_at FROM projects WHERE organization_id = $1 AND deleted_at IS NULL
    ORDER BY created_at, id LIMIT 21";

/// A page after a row.
pub(crate) const PROJECTS_AFTER: &str =
    "SELECT id, code, name, color, is_private, archived_at, estimate_seconds, version,
    created_at, updated_at FROM projects WHERE organization_id = $1 AND deleted_at IS NULL
    AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT 21";

/// The first page, with tags.
pub(crate) const TASKS: &str =
    "SELECT id, project_id, title, description, status, priority, due_at, assignee_id, created_by,
    position, completed_at, version, created_at, updated_at,
    ARRAY(SELECT tag_id FROM task_tags l WHERE l.organization_id = $1 AND l.task_id = t.id ORDER BY tag_id)
    FROM tasks t WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY created_at, id LIMIT 21";

/// The first page, with tags.
pub(crate) const ENTRIES: &str = "SELECT id, member_id, project_id, task_id, activity, notes, started_at, ended_at, billable,
    source, version, created_at, updated_at,
    ARRAY(SELECT tag_id FROM time_entry_tags l WHERE l.organization_id = $1 AND l.time_entry_id = e.id ORDER BY tag_id)
    FROM time_entries e WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY started_at DESC, id DESC LIMIT 21";

/// A page after a row, with tags.
pub(crate) const ENTRIES_AFTER: &str = "SELECT id, member_id, project_id, task_id, activity, notes, started_at, ended_at,
    billable, source, version, created_at, updated_at,
    ARRAY(SELECT tag_id FROM time_entry_tags l WHERE l.organization_id = $1 AND l.time_entry_id = e.id ORDER BY tag_id)
    FROM time_entries e WHERE organization_id = $1 AND deleted_at IS NULL AND (started_at, id) < ($2, $3)
    ORDER BY started_at DESC, id DESC LIMIT 21";

/// A project: id, organization, code, instant, then those of the event.
pub(crate) const NEW_PROJECT: &str = "row AS (INSERT INTO projects (id, organization_id, code, code_key, name, is_private,
    version, created_at, updated_at) VALUES ($1, $2, $3, lower($3), $4, false, 1, $5, $5) RETURNING 0::bigint AS number)";

/// A task without a project, after the last one.
pub(crate) const NEW_TASK: &str = "row AS (INSERT INTO tasks (id, organization_id, title, status, priority, created_by, position,
    version, created_at, updated_at) SELECT $1, $2, $3, 'todo', 1, $4, 1024 + coalesce((SELECT max(position) FROM tasks
    WHERE organization_id = $2 AND project_id IS NULL AND deleted_at IS NULL), 0), 1, $5, $5
    RETURNING position AS number)";

/// A task in a project, after the last one.
pub(crate) const NEW_TASK_IN_PROJECT: &str = "row AS (INSERT INTO tasks (id, organization_id, title, status, priority,
    created_by, position, version, created_at, updated_at, project_id) SELECT $1, $2, $3, 'todo', 1, $4, 1024
    + coalesce((SELECT max(position) FROM tasks WHERE organization_id = $2 AND project_id = $14 AND deleted_at IS NULL), 0),
    1, $5, $5, $14 RETURNING position AS number)";

/// A time entry of one hour.
pub(crate) const NEW_ENTRY: &str =
    "row AS (INSERT INTO time_entries (id, organization_id, activity, member_id, started_at,
    ended_at, billable, source, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $14, $15, false, 'manual', 1, $5, $5) RETURNING 0::bigint AS number)";

/// A statement that also adds the audit event and its personal data. Its answer is the number of the row.
pub(crate) fn with_event(row: &str) -> String {
    format!(
        "WITH {row}, event AS (INSERT INTO audit_events (id, organization_id, occurred_at, actor_kind, actor_id, action,
         resource, resource_id, outcome, details, request_id, schema_version, personal_hash, seq)
         SELECT $6, $2, $5, 'user', $7, $8, split_part($8, '.', 1), $1::uuid::text, 'success', $9, $10, 1, $11,
         nextval('floor_seq')),
         personal AS (INSERT INTO audit_personal (id, organization_id, salt, ip, label)
         VALUES ($6, $2, $12, '127.0.0.1', $13))
         SELECT number FROM row"
    )
}

//! Schemas of projects.

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{ErrorCode, FieldErrors},
        text,
    },
    work::projects::{self, NewProject, ProjectChanges, ProjectKey},
};
use poem_openapi::{Object, types::MaybeUndefined};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    body::parse_change,
    http::{Color, Name, ProjectCode, sort_keys},
    problem::Result,
};

sort_keys! {
    pub(super) ProjectSort of ProjectKey;
    created_at: CreatedAt,
    name: Name,
    code: Code,
}

/// A project to create.
#[derive(Object)]
pub(super) struct ProjectCreate {
    /// Short name, unique in the organization regardless of case.
    pub(super) code: ProjectCode,
    /// Display name of the project.
    pub(super) name: Name,
    /// Display colour as `#rrggbb`. `null` or absent: no colour.
    #[oai(nullable)]
    pub(super) color: Option<Color>,
    /// Whether only its members and members with `projects:update` can see it. Defaults to `false`.
    pub(super) is_private: Option<bool>,
    /// Estimated duration in seconds, at most 360000000 (100,000 hours). `null` or absent: no estimate.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "360000000")))]
    pub(super) estimate_seconds: Option<i64>,
}

/// Changes to a project. Absent fields stay unchanged; `null` clears a field.
#[derive(Object)]
pub(super) struct ProjectUpdate {
    /// Short name, unique in the organization regardless of case.
    pub(super) code: Option<ProjectCode>,
    /// Display name of the project.
    pub(super) name: Option<Name>,
    /// Display colour as `#rrggbb`. `null` removes it.
    #[oai(nullable)]
    pub(super) color: MaybeUndefined<Color>,
    /// Whether only its members and members with `projects:update` can see it.
    pub(super) is_private: Option<bool>,
    /// Estimated duration in seconds, at most 360000000 (100,000 hours). `null` removes it.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "360000000")))]
    pub(super) estimate_seconds: MaybeUndefined<i64>,
}

/// A project, which groups tasks and time entries.
#[derive(Object, Serialize)]
pub(super) struct Project {
    /// Unique id of the project.
    pub(super) id: Uuid,
    /// The organization it belongs to.
    pub(super) organization_id: Uuid,
    /// Short name, unique in the organization regardless of case.
    pub(super) code: ProjectCode,
    /// Display name of the project.
    pub(super) name: Name,
    /// Display colour as `#rrggbb`. `null`: no colour.
    #[oai(nullable)]
    pub(super) color: Option<Color>,
    /// Whether only its members and members with `projects:update` can see it.
    pub(super) is_private: bool,
    /// When it was archived. An archived project accepts no new tasks or time entries. `null`: not archived.
    #[oai(nullable)]
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// Estimated duration in seconds. `null`: no estimate.
    #[oai(nullable)]
    pub(super) estimate_seconds: Option<i64>,
    /// Version number, which is also the `ETag`. Every change increases it.
    pub(super) version: i64,
    /// When the project was created.
    pub(super) created_at: DateTime<Utc>,
    /// When the project was last changed.
    pub(super) updated_at: DateTime<Utc>,
    /// When the project was deleted. `null`: not deleted.
    #[oai(nullable)]
    pub(super) deleted_at: Option<DateTime<Utc>>,
}

impl TryFrom<ProjectCreate> for NewProject {
    type Error = insula_core::Error;

    fn try_from(draft: ProjectCreate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let code = fields.parse("code", text::ProjectCode::parse(&draft.code.0));
        let name = fields.parse("name", text::Name::parse(&draft.name.0));
        let color = fields.parse_optional("color", draft.color.map(|color| text::Color::parse(&color.0)));
        fields.into_result()?;
        let (is_private, estimate_seconds) = (draft.is_private.unwrap_or_default(), draft.estimate_seconds);
        let (code, name) = code.zip(name).ok_or(ErrorCode::ValidationFailed.refuse())?;
        Ok(Self { code, name, color, is_private, estimate_seconds })
    }
}

impl TryFrom<ProjectUpdate> for ProjectChanges {
    type Error = insula_core::Error;

    fn try_from(patch: ProjectUpdate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let code = fields.parse_optional("code", patch.code.map(|code| text::ProjectCode::parse(&code.0)));
        let name = fields.parse_optional("name", patch.name.map(|name| text::Name::parse(&name.0)));
        let color = parse_change(&mut fields, "color", patch.color, |it| text::Color::parse(&it.0));
        fields.into_result()?;
        let estimate_seconds = patch.estimate_seconds.into();
        Ok(Self { code, name, color, is_private: patch.is_private, estimate_seconds })
    }
}

impl From<projects::Project> for Project {
    fn from(row: projects::Project) -> Self {
        Self {
            id: row.id.0,
            organization_id: row.organization_id.0,
            code: ProjectCode(row.code),
            name: Name(row.name),
            color: row.color.map(Color),
            is_private: row.is_private,
            archived_at: row.archived_at,
            estimate_seconds: row.estimate_seconds,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
        }
    }
}

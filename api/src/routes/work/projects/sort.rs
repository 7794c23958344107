//! Sort orders of the list of projects.

use insula_core::{base::pagination::Sort, work::projects::ProjectKey};
use poem_openapi::Enum;

/// Sort order. `-` means descending.
#[derive(Clone, Copy, Debug, Enum)]
pub(super) enum ProjectSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    #[oai(rename = "name")]
    Name,
    #[oai(rename = "-name")]
    NameDescending,
    #[oai(rename = "code")]
    Code,
    #[oai(rename = "-code")]
    CodeDescending,
}

impl From<ProjectSort> for Sort<ProjectKey> {
    fn from(sort: ProjectSort) -> Self {
        let (key, descending) = match sort {
            ProjectSort::CreatedAt => (ProjectKey::CreatedAt, false),
            ProjectSort::CreatedAtDescending => (ProjectKey::CreatedAt, true),
            ProjectSort::Name => (ProjectKey::Name, false),
            ProjectSort::NameDescending => (ProjectKey::Name, true),
            ProjectSort::Code => (ProjectKey::Code, false),
            ProjectSort::CodeDescending => (ProjectKey::Code, true),
        };
        Self { key, descending }
    }
}

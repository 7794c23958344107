//! `/organizations/{org}/settings`: settings of an organization.

use std::sync::Arc;

use insula_core::{
    base::{
        error::FieldErrors,
        permissions::{OrganizationRead, SettingsUpdate},
        text,
    },
    tenancy::settings::{self, SettingsChanges},
};
use poem_openapi::{Enum, Object, OpenApi, param::Header};
use serde::Serialize;

use crate::routes::{Tag, account::me::WeekStartName};
use crate::{
    auth::tenant,
    body::MergePatch,
    http::{Currency, EntityTag, IfMatch, IfNoneMatch, WithEtag},
    problem::{ProblemWith, Result},
    state::AppState,
};

pub struct SettingsApi(pub Arc<AppState>);

/// `allow` or `refuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "SettledRule")]
#[serde(rename_all = "snake_case")]
pub(in crate::routes) enum Rule {
    /// What the setting describes is allowed.
    Allow,
    /// What the setting describes is refused.
    Refuse,
}

impl Rule {
    fn of(allowed: bool) -> Self {
        if allowed { Self::Allow } else { Self::Refuse }
    }

    fn allows(self) -> bool {
        self == Self::Allow
    }
}

/// Settings of an organization. Anything that is not set has its default.
#[derive(Object, Serialize)]
pub(in crate::routes) struct OrganizationSettings {
    /// Currency of the organization, as an ISO 4217 code.
    currency: Currency,
    /// First day of the organization's week.
    week_start: WeekStartName,
    /// How long audit events are kept, in days.
    audit_retention_days: u16,
    /// Whether time entries of the same member may overlap.
    time_entry_overlap: Rule,
    /// Maximum duration of a time entry, in hours.
    time_entry_max_hours: u16,
    /// Whether time entries may lie in the future.
    time_entry_future: Rule,
    /// Version number of the organization, which the settings are part of. It is also the `ETag`.
    version: i64,
}

/// Changes to the settings. Absent fields stay unchanged.
#[derive(Object)]
#[oai(rename = "SettingsUpdate")]
struct SettingsPatch {
    /// Currency of the organization, as an ISO 4217 code.
    currency: Option<Currency>,
    /// First day of the organization's week.
    week_start: Option<WeekStartName>,
    /// How long audit events are kept, in days (30 to 3650). Older events are removed within a day.
    #[oai(validator(minimum(value = "30"), maximum(value = "3650")))]
    audit_retention_days: Option<u16>,
    /// Whether time entries of the same member may overlap. Existing entries stay as they are.
    time_entry_overlap: Option<Rule>,
    /// Maximum duration of a time entry, in hours (1 to 744, which is 31 days).
    #[oai(validator(minimum(value = "1"), maximum(value = "744")))]
    time_entry_max_hours: Option<u16>,
    /// Whether time entries may lie in the future.
    time_entry_future: Option<Rule>,
}

#[OpenApi(tag = "Tag::Organizations")]
impl SettingsApi {
    /// Get the settings
    ///
    /// Returns all settings of the organization. A setting that is not set has its default.
    #[oai(path = "/organizations/:org/settings", method = "get", operation_id = "getSettings")]
    async fn get(
        &self,
        org: tenant::Path<OrganizationRead>,
        /// `ETag` of the version that you have. The response is 304 if it is still current.
        #[oai(name = "If-None-Match")]
        known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<OrganizationSettings>> {
        let tx = self.0.db.begin(org.0).await?;
        let settings = settings::get(&tx).await?;
        Ok(WithEtag::new(EntityTag(settings.version), known.0, || settings.into()))
    }

    /// Update the settings
    ///
    /// Changes only the settings that you send. `If-Match` is required.
    #[oai(path = "/organizations/:org/settings", method = "patch", operation_id = "updateSettings")]
    async fn change(
        &self,
        org: tenant::Path<SettingsUpdate>,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        patch: MergePatch<SettingsPatch>,
    ) -> Result<WithEtag<OrganizationSettings>, ProblemWith<428>> {
        let changes = patch.changes::<SettingsChanges>()?;
        let expected = IfMatch::required(expected.0)?;
        let tx = self.0.db.begin(org.0).await?;
        let settings = settings::update(&tx, changes, &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(settings.version), settings.into()))
    }
}

impl TryFrom<SettingsPatch> for SettingsChanges {
    type Error = insula_core::Error;

    fn try_from(patch: SettingsPatch) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let currency = patch.currency.map(|currency| text::Currency::parse(&currency.0));
        let currency = fields.parse_optional("currency", currency);
        fields.into_result()?;
        let week_start = patch.week_start.map(Into::into);
        Ok(Self {
            currency,
            week_start,
            audit_retention_days: patch.audit_retention_days,
            overlap: patch.time_entry_overlap.map(Rule::allows),
            max_hours: patch.time_entry_max_hours,
            future: patch.time_entry_future.map(Rule::allows),
        })
    }
}

impl From<settings::Settings> for OrganizationSettings {
    fn from(settings: settings::Settings) -> Self {
        Self {
            currency: Currency(settings.currency.into()),
            week_start: settings.week_start.into(),
            audit_retention_days: settings.audit_retention_days,
            time_entry_overlap: Rule::of(settings.time.overlap),
            time_entry_max_hours: settings.time.max_hours,
            time_entry_future: Rule::of(settings.time.future),
            version: settings.version,
        }
    }
}

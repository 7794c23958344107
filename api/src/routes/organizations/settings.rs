//! `/organizations/{org}/settings`: what an organization has settled for itself.

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

use crate::routes::{Tag, account::me::WeekStart};
use crate::{
    auth::tenant,
    body::MergePatch,
    http::{Currency, EntityTag, IfMatch, IfNoneMatch, WithEtag},
    problem::{ProblemWith, Result},
    state::State,
};

pub struct SettingsApi(pub Arc<State>);

/// Is something allowed?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "SettledRule")]
#[serde(rename_all = "snake_case")]
enum Rule {
    /// It is.
    Allow,
    /// It is not.
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

/// What holds in an organization. What it has not settled is what is usual.
#[derive(Object, Serialize)]
struct OrganizationSettings {
    /// In which it reckons.
    currency: Currency,
    /// The first day of its week.
    week_start: WeekStart,
    /// For how many days its audit log is kept.
    audit_retention_days: u16,
    /// May a member have two time entries at the same time?
    time_entry_overlap: Rule,
    /// How many hours a time entry may last.
    time_entry_max_hours: u16,
    /// May time be written down before it happened?
    time_entry_future: Rule,
    /// That of the organization, whose part they are; the `ETag`.
    version: i64,
}

/// What is to change: absent is unchanged.
#[derive(Object)]
#[oai(rename = "SettingsUpdate")]
struct SettingsPatch {
    /// In which it reckons.
    currency: Option<Currency>,
    /// The first day of its week.
    week_start: Option<WeekStart>,
    /// For how many days its audit log is kept; what is older goes within a day.
    #[oai(validator(minimum(value = "30"), maximum(value = "3650")))]
    audit_retention_days: Option<u16>,
    /// May a member have two time entries at the same time? What there is already stays as it is.
    time_entry_overlap: Option<Rule>,
    /// How many hours a time entry may last: up to 31 days.
    #[oai(validator(minimum(value = "1"), maximum(value = "744")))]
    time_entry_max_hours: Option<u16>,
    /// May time be written down before it happened?
    time_entry_future: Option<Rule>,
}

#[OpenApi(tag = "Tag::Organizations")]
impl SettingsApi {
    /// Look at the settings
    #[oai(path = "/organizations/:org/settings", method = "get", operation_id = "getSettings")]
    async fn get(
        &self,
        org: tenant::Path<OrganizationRead>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<OrganizationSettings>> {
        let tx = self.0.db.begin(org.0).await?;
        let settings = settings::get(&tx).await?;
        Ok(WithEtag::new(EntityTag(settings.version), known.0, || settings.into()))
    }

    /// Change the settings
    ///
    /// Whoever does says which ones he knows: `If-Match` is required.
    #[oai(path = "/organizations/:org/settings", method = "patch", operation_id = "updateSettings")]
    async fn change(
        &self,
        org: tenant::Path<SettingsUpdate>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<SettingsPatch>,
    ) -> Result<WithEtag<OrganizationSettings>, ProblemWith<428>> {
        let changes = SettingsChanges::try_from(patch.body()?)?;
        let expected = IfMatch::required(expected.0)?;
        let tx = self.0.db.begin(org.0).await?;
        let settings = settings::change(&tx, changes, &expected).await?;
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

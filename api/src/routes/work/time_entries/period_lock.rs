//! `/organizations/{org}/period-lock`: the time up to which time entries are locked.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use insula_core::{
    base::permissions::{TimeEntriesLock, TimeEntriesRead},
    work::period_locks,
};
use poem_openapi::{Object, OpenApi, param::Header};
use serde::Serialize;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::{Nullable, StrictJson},
    http::{EntityTag, IfMatch, IfNoneMatch, WithEtag},
    problem::Result,
    state::AppState,
};

pub struct PeriodLocksApi(pub Arc<AppState>);

/// The period lock of an organization.
#[derive(Object, Serialize)]
#[oai(rename = "PeriodLock")]
pub(in crate::routes) struct OrganizationPeriodLock {
    /// Time entries that started before this time cannot be changed. Whole seconds. `null`: nothing is
    /// locked.
    #[oai(nullable)]
    locked_until: Option<DateTime<Utc>>,
    /// Version number, starting at 0, which is also the `ETag`. Every change increases it.
    version: i64,
}

/// A new period lock.
#[derive(Object)]
struct PeriodLockUpdate {
    /// Time entries that started before this time can no longer be changed. Fractions of a second are cut
    /// off. `null` unlocks everything.
    #[oai(nullable)]
    locked_until: Nullable<DateTime<Utc>>,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl PeriodLocksApi {
    /// Get the period lock
    ///
    /// Returns the time before which time entries cannot be changed. An organization that never locked a
    /// period has version 0.
    #[oai(path = "/organizations/:org/period-lock", method = "get", operation_id = "getPeriodLock")]
    async fn get(
        &self,
        org: tenant::Path<TimeEntriesRead>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<OrganizationPeriodLock>> {
        let tx = self.0.db.begin(org.0).await?;
        let lock = period_locks::get(&tx).await?;
        Ok(WithEtag::new(EntityTag(lock.version), known.0, || lock.into()))
    }

    /// Set the period lock
    ///
    /// Nobody can add, change or delete time entries that start in the locked period until it is unlocked. An
    /// earlier time or `null` unlocks.
    #[oai(path = "/organizations/:org/period-lock", method = "put", operation_id = "setPeriodLock")]
    async fn set(
        &self,
        org: tenant::Path<TimeEntriesLock>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        draft: StrictJson<PeriodLockUpdate>,
    ) -> Result<WithEtag<OrganizationPeriodLock>> {
        let until = draft.value.locked_until.0.map(|until| until.trunc_subsecs(0));
        let tx = self.0.db.begin(org.0).await?;
        let lock = period_locks::set(&tx, until, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(lock.version), lock.into()))
    }
}

impl From<period_locks::PeriodLock> for OrganizationPeriodLock {
    fn from(lock: period_locks::PeriodLock) -> Self {
        Self { locked_until: lock.locked_until, version: lock.version }
    }
}

//! `/organizations/{org}/period-lock`: up to when time is settled.

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
    state::State,
};

pub struct PeriodLocksApi(pub Arc<State>);

/// Up to when time is settled.
#[derive(Object, Serialize)]
struct PeriodLock {
    /// What began before this instant can be changed no more; `null`: everything can.
    #[oai(nullable)]
    locked_until: Option<DateTime<Utc>>,
    /// Counts its changes, from 0; the `ETag`.
    version: i64,
}

/// Up to when time is to be settled.
#[derive(Object)]
struct PeriodLockUpdate {
    /// What began before this instant can be changed no more; `null` unlocks everything.
    #[oai(nullable)]
    locked_until: Nullable<DateTime<Utc>>,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl PeriodLocksApi {
    /// Look at the period lock
    #[oai(path = "/organizations/:org/period-lock", method = "get", operation_id = "getPeriodLock")]
    async fn get(
        &self,
        org: tenant::Path<TimeEntriesRead>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<PeriodLock>> {
        let tx = self.0.db.begin(org.0).await?;
        let lock = period_locks::get(&tx).await?;
        Ok(WithEtag::new(EntityTag(lock.version), known.0, || lock.into()))
    }

    /// Lock a period
    ///
    /// Nobody adds, changes or deletes time that began in it, until it is unlocked.
    #[oai(path = "/organizations/:org/period-lock", method = "put", operation_id = "setPeriodLock")]
    async fn set(
        &self,
        org: tenant::Path<TimeEntriesLock>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        draft: StrictJson<PeriodLockUpdate>,
    ) -> Result<WithEtag<PeriodLock>> {
        let until = draft.value.locked_until.0.map(|until| until.trunc_subsecs(0));
        let tx = self.0.db.begin(org.0).await?;
        let lock = period_locks::set(&tx, until, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(lock.version), lock.into()))
    }
}

impl From<period_locks::PeriodLock> for PeriodLock {
    fn from(lock: period_locks::PeriodLock) -> Self {
        Self { locked_until: lock.locked_until, version: lock.version }
    }
}

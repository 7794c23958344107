//! `/organizations/{org}/timer`: the running time entry of the caller.

use std::sync::Arc;

use insula_core::{
    base::permissions::{TimeEntriesCreate, TimeEntriesRead, TimeEntriesUpdate},
    storage::idempotency::IdempotentBegin,
    work::time_entries::{self, NewTimer},
};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use super::{
    created,
    schema::{TimeEntry, TimerStart},
};
use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::StrictJson,
    http::{CreatedResponse, EntityTag, IdempotencyKey, JsonResponse, WithEtag},
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct TimerApi(pub Arc<AppState>);

/// The state of your timer.
#[derive(Object, Serialize)]
struct TimerState {
    /// Your running time entry. `null`: no timer is running.
    #[oai(nullable)]
    running: Option<TimeEntry>,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl TimerApi {
    /// Get the timer
    ///
    /// Returns your running time entry, if there is one. Superusers who are not members get `NOT_A_MEMBER`.
    #[oai(path = "/organizations/:org/timer", method = "get", operation_id = "getTimer")]
    async fn get(
        &self,
        org: tenant::Path<TimeEntriesRead>,
    ) -> Result<JsonResponse<TimerState>, WithConflict> {
        let tx = self.0.db.begin(org.0).await?;
        let running = time_entries::running(&tx).await?.map(TimeEntry::from);
        Ok(JsonResponse(TimerState { running }))
    }

    /// Start the timer
    ///
    /// Creates a running time entry for you. Each member can have one running entry. If you have one already,
    /// the error is `TIMER_RUNNING`; with `switch=true`, it ends when the new one starts, in the same
    /// transaction. This also needs `time_entries:update`. The rules for new time entries apply.
    #[oai(path = "/organizations/:org/timer/start", method = "post", operation_id = "startTimer")]
    async fn start(
        &self,
        org: tenant::Path<TimeEntriesCreate>,
        /// Whether to end your running timer first, if there is one.
        switch: Query<Option<bool>>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<TimerStart>,
    ) -> Result<CreatedResponse<TimeEntry>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewTimer { switch: switch.0.unwrap_or_default(), ..NewTimer::try_from(draft.value)? };
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let answer = created(&time_entries::start(&tx, new).await?.into())?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Stop the timer
    ///
    /// Ends your running time entry now. The error is `TIMER_NOT_RUNNING` if there is none. A timer that ran
    /// longer than allowed cannot be stopped; set `ended_at` of the entry with `PATCH`.
    #[oai(path = "/organizations/:org/timer/stop", method = "post", operation_id = "stopTimer")]
    async fn stop(&self, org: tenant::Path<TimeEntriesUpdate>) -> Result<WithEtag<TimeEntry>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = time_entries::stop(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(shown.entry.version), shown.into()))
    }
}

//! `/organizations/{org}/timer`: what the caller works on at this moment.

use std::sync::Arc;

use insula_core::{
    base::permissions::{TimeEntriesCreate, TimeEntriesRead, TimeEntriesUpdate},
    storage::idempotency::IdempotentBegin,
    work::time_entries::{self, NewTimer},
};
use poem_openapi::{Object, OpenApi};
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
    state::State,
};

pub struct TimerApi(pub Arc<State>);

/// The timer of a member.
#[derive(Object, Serialize)]
struct TimerState {
    /// What is running; `null`: nothing is.
    #[oai(nullable)]
    running: Option<TimeEntry>,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl TimerApi {
    /// Look at my timer
    #[oai(path = "/organizations/:org/timer", method = "get", operation_id = "getTimer")]
    async fn get(
        &self,
        org: tenant::Path<TimeEntriesRead>,
    ) -> Result<JsonResponse<TimerState>, WithConflict> {
        let tx = self.0.db.begin(org.0).await?;
        let running = time_entries::running(&tx).await?.map(TimeEntry::from);
        Ok(JsonResponse(TimerState { running }))
    }

    /// Start my timer
    ///
    /// One runs at a time.
    #[oai(path = "/organizations/:org/timer/start", method = "post", operation_id = "startTimer")]
    async fn start(
        &self,
        org: tenant::Path<TimeEntriesCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<TimerStart>,
    ) -> Result<CreatedResponse<TimeEntry>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewTimer::try_from(draft.value)?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let answer = created(&time_entries::start(&tx, new).await?.into())?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Stop my timer
    ///
    /// What ran longer than an entry may last is ended by changing it: `ended_at` says when.
    #[oai(path = "/organizations/:org/timer/stop", method = "post", operation_id = "stopTimer")]
    async fn stop(&self, org: tenant::Path<TimeEntriesUpdate>) -> Result<WithEtag<TimeEntry>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = time_entries::stop(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(shown.entry.version), shown.into()))
    }
}

//! The same request twice is one change and one answer: the key's row is written in the transaction of the change.

mod entity;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

pub(crate) use entity::{Column, Entity};

use crate::{
    Error, Result,
    base::{
        crypto::MacKey,
        error::ErrorCode,
        ids::{AnswerId, UserId},
        permissions::{AuditOrigin, Authorized, WritePermission},
    },
    storage::db::{Db, GlobalTx, OrgTx},
};

/// How long an answer is remembered.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Most bytes of a remembered body; a longer answer is given once and not kept.
const MAX_BODY: usize = 256 * 1024;

/// A client's wish to have this request done once.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    /// Whose key.
    pub user: UserId,
    /// Of which operation.
    pub operation_id: &'static str,
    /// The client's key: 1..=255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the body as it was sent.
    pub body_sha256: [u8; 32],
}

impl IdempotentRequest {
    /// The same wish, for a body that holds a password: from a plain digest, which is fast, it could be guessed.
    #[must_use]
    pub fn keyed(self, key: &MacKey<32>) -> Self {
        Self { body_sha256: key.tag(&self.body_sha256), ..self }
    }
}

/// What is remembered of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// The body, as it was sent.
    pub body: Vec<u8>,
}

/// How a request that is to be done once begins.
#[must_use]
pub enum IdempotentBegin<T> {
    /// It was done before: this was the answer.
    Replay(StoredResponse),
    /// It is new.
    Fresh(IdempotentTx<T>),
}

/// A unit of work that remembers its answer.
#[must_use]
pub struct IdempotentTx<T> {
    tx: T,
    row: Option<AnswerId>,
}

impl<T> std::ops::Deref for IdempotentTx<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.tx
    }
}

impl Db {
    /// Begins a write that is done once where the client asked for it. A second request meanwhile waits for the first.
    ///
    /// # Errors
    /// `IDEMPOTENCY_MISMATCH`: the key was used with another body. `IDEMPOTENCY_IN_FLIGHT`: the first one takes longer
    /// than 2 s.
    pub async fn begin_idempotent<P: WritePermission>(
        &self,
        proof: Authorized<P>,
        once: Option<IdempotentRequest>,
    ) -> Result<IdempotentBegin<OrgTx<P>>> {
        let tx = self.begin(proof).await?;
        let Some(once) = once else { return Ok(IdempotentBegin::Fresh(IdempotentTx { tx, row: None })) };
        Ok(match claim(&tx, once).await? {
            Claim::Answered(answer) => IdempotentBegin::Replay(answer),
            Claim::Mine(id) => IdempotentBegin::Fresh(IdempotentTx { tx, row: Some(id) }),
        })
    }

    /// The same for the tables that no organization owns; the answer is the platform's to remember.
    ///
    /// # Errors
    /// As [`Db::begin_once`].
    pub async fn begin_global_idempotent(
        &self,
        origin: AuditOrigin,
        once: Option<IdempotentRequest>,
    ) -> Result<IdempotentBegin<GlobalTx>> {
        let tx = self.begin_global(origin).await?;
        let Some(once) = once else { return Ok(IdempotentBegin::Fresh(IdempotentTx { tx, row: None })) };
        let platform = tx.platform().await?;
        let claim = claim(&platform, once).await?;
        drop(platform);
        Ok(match claim {
            Claim::Answered(answer) => IdempotentBegin::Replay(answer),
            Claim::Mine(id) => IdempotentBegin::Fresh(IdempotentTx { tx, row: Some(id) }),
        })
    }
}

/// Whose a key is.
enum Claim {
    /// Somebody had it before, and got this answer.
    Answered(StoredResponse),
    /// This request's.
    Mine(AnswerId),
}

async fn claim<P: WritePermission>(tx: &OrgTx<P>, once: IdempotentRequest) -> Result<Claim> {
    match attempt(tx, once.clone()).await {
        // What was in the way expired, and went in this moment.
        Err(Error::NotFound(_)) => attempt(tx, once).await.map_err(|error| match error {
            Error::NotFound(_) => ErrorCode::IdempotencyInFlight.refuse(),
            error => error,
        }),
        claim => claim,
    }
}

async fn attempt<P: WritePermission>(tx: &OrgTx<P>, once: IdempotentRequest) -> Result<Claim> {
    let id = AnswerId::new(tx.now());
    let row = entity::ActiveModel {
        id: Set(id),
        user_id: Set(once.user),
        operation_id: Set(once.operation_id.to_owned()),
        key: Set(once.key.clone()),
        body_sha256: Set(once.body_sha256.to_vec()),
        expires_at: Set(tx.now() + KEPT),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    // Waits here while another transaction holds the same key.
    let key = [Column::UserId, Column::OperationId, Column::Key];
    let inserted = tx.insert_if_absent(row.clone(), &key).await.map_err(|error| match error {
        Error::Unavailable { .. } => ErrorCode::IdempotencyInFlight.refuse(),
        error => error,
    })?;
    if inserted {
        return Ok(Claim::Mine(id));
    }
    let same = Condition::all()
        .add(Column::UserId.eq(once.user))
        .add(Column::OperationId.eq(once.operation_id))
        .add(Column::Key.eq(once.key));
    let known = tx.find::<Entity>().filter(same).one_locked().await?;
    if known.expires_at <= tx.now() {
        tx.delete::<Entity>(Column::Id.eq(known.id)).await?;
        tx.insert(row).await?;
        return Ok(Claim::Mine(id));
    }
    match known.body_sha256 == once.body_sha256 {
        true => known.try_into().map(Claim::Answered),
        false => Err(ErrorCode::IdempotencyMismatch.refuse()),
    }
}

/// Remembers the answer in the row of its key.
async fn remember<P: WritePermission>(tx: &OrgTx<P>, id: AnswerId, answer: &StoredResponse) -> Result<()> {
    if answer.body.len() > MAX_BODY {
        return tx.delete::<Entity>(Column::Id.eq(id)).await.map(drop);
    }
    let row = entity::ActiveModel {
        id: Set(id),
        status: Set(Some(answer.status.into())),
        location: Set(answer.location.clone()),
        etag: Set(answer.etag.clone()),
        body: Set(Some(answer.body.clone())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await.map(drop)
}

impl<P: WritePermission> IdempotentTx<OrgTx<P>> {
    /// Makes everything permanent, the answer included, or nothing.
    ///
    /// # Errors
    /// In debug builds: a change without an audit event.
    pub async fn commit_with(self, answer: &StoredResponse) -> Result<()> {
        if let Some(id) = self.row {
            remember(&self.tx, id, answer).await?;
        }
        self.tx.commit().await
    }
}

impl IdempotentTx<GlobalTx> {
    /// Makes everything permanent, the answer included, or nothing.
    ///
    /// # Errors
    /// In debug builds: a change without an audit event.
    pub async fn commit_with(self, answer: &StoredResponse) -> Result<()> {
        if let Some(id) = self.row {
            let platform = self.tx.platform().await?;
            remember(&platform, id, answer).await?;
        }
        self.tx.commit().await
    }
}

impl TryFrom<entity::Model> for StoredResponse {
    type Error = Error;

    fn try_from(row: entity::Model) -> Result<Self> {
        let status = row.status.and_then(|status| u16::try_from(status).ok());
        let (Some(status), Some(body)) = (status, row.body) else {
            return Err(Error::Broken("a remembered answer was committed without its answer"));
        };
        Ok(Self { status, location: row.location, etag: row.etag, body })
    }
}

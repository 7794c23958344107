//! The same request twice is one change and one answer: the key's row is written in the transaction of the change.

mod entity;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

pub(crate) use entity::{Column, Entity};

use crate::{
    Error, Result,
    access::{Authorized, Write},
    db::{Db, OrgTx},
    error::Code,
    ids::{AnswerId, UserId},
};

/// How long an answer is remembered.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Most bytes of a remembered body; a longer answer is given once and not kept.
const MAX_BODY: usize = 256 * 1024;

/// A client's wish to have this request done once.
#[derive(Clone, Debug)]
pub struct Once {
    /// Whose key.
    pub user: UserId,
    /// Of which operation.
    pub operation_id: &'static str,
    /// The client's key: 1..=255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the body as it was sent.
    pub body_sha256: [u8; 32],
}

/// What is remembered of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
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
pub enum Begun<P> {
    /// It was done before: this was the answer.
    Replay(Answer),
    /// It is new.
    Fresh(OnceTx<P>),
}

/// A unit of work that remembers its answer.
#[must_use]
pub struct OnceTx<P> {
    tx: OrgTx<P>,
    row: Option<AnswerId>,
}

impl<P> std::ops::Deref for OnceTx<P> {
    type Target = OrgTx<P>;

    fn deref(&self) -> &OrgTx<P> {
        &self.tx
    }
}

impl Db {
    /// Begins a write that is done once where the client asked for it. A second request meanwhile waits for the first.
    ///
    /// # Errors
    /// `IDEMPOTENCY_MISMATCH`: the key was used with another body. `IDEMPOTENCY_IN_FLIGHT`: the first one takes longer than 2 s.
    pub async fn begin_once<P: Write>(&self, proof: Authorized<P>, once: Option<Once>) -> Result<Begun<P>> {
        let tx = self.begin(proof).await?;
        let Some(once) = once else { return Ok(Begun::Fresh(OnceTx { tx, row: None })) };
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
        let inserted = tx.insert_absent(row.clone(), &key).await.map_err(|error| match error {
            Error::Unavailable { .. } => Code::IdempotencyInFlight.refuse(),
            error => error,
        })?;
        if inserted {
            return Ok(Begun::Fresh(OnceTx { tx, row: Some(id) }));
        }
        let mine = Condition::all()
            .add(Column::UserId.eq(once.user))
            .add(Column::OperationId.eq(once.operation_id))
            .add(Column::Key.eq(once.key));
        let known = tx.find::<Entity>().filter(mine).one_locked().await?;
        if known.expires_at <= tx.now() {
            tx.delete::<Entity>(Column::Id.eq(known.id)).await?;
            tx.insert(row).await?;
            return Ok(Begun::Fresh(OnceTx { tx, row: Some(id) }));
        }
        if known.body_sha256 != once.body_sha256 {
            return Err(Code::IdempotencyMismatch.refuse());
        }
        known.try_into().map(Begun::Replay)
    }
}

impl<P: Write> OnceTx<P> {
    /// Makes everything permanent, the answer included, or nothing.
    ///
    /// # Errors
    /// In debug builds: a change without an audit event.
    pub async fn commit_with(self, answer: &Answer) -> Result<()> {
        match self.row {
            Some(id) if answer.body.len() > MAX_BODY => {
                self.tx.delete::<Entity>(Column::Id.eq(id)).await?;
            }
            Some(id) => {
                let row = entity::ActiveModel {
                    id: Set(id),
                    status: Set(Some(answer.status.into())),
                    location: Set(answer.location.clone()),
                    etag: Set(answer.etag.clone()),
                    body: Set(Some(answer.body.clone())),
                    updated_at: Set(self.tx.now()),
                    ..Default::default()
                };
                self.tx.update(row).await?;
            }
            None => {}
        }
        self.tx.commit().await
    }
}

impl TryFrom<entity::Model> for Answer {
    type Error = Error;

    fn try_from(row: entity::Model) -> Result<Self> {
        let status = row.status.and_then(|status| u16::try_from(status).ok());
        let (Some(status), Some(body)) = (status, row.body) else {
            return Err(Error::Broken("a remembered answer was committed without its answer"));
        };
        Ok(Self { status, location: row.location, etag: row.etag, body })
    }
}

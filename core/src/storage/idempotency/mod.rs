//! Idempotency keys. A repeated request has no second effect and gets the same response, because the row of the key is
//! written in the transaction of the change.

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
        ids::{IdempotencyKeyId, UserId},
        permissions::{AuditOrigin, Authorized, WritePermission},
    },
    storage::db::{Db, GlobalTx, OrgTx},
};

/// How long a response is stored.
const RETENTION: TimeDelta = TimeDelta::hours(24);

/// Maximum size of a stored body, in bytes. A larger response is sent once and not stored.
const MAX_BODY: usize = 256 * 1024;

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    /// User who sent the request.
    pub user: UserId,
    /// Operation of the request.
    pub operation_id: &'static str,
    /// Key of the client: 1..=255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the request body.
    pub body_sha256: [u8; 32],
}

impl IdempotentRequest {
    /// The same request, for a body with a password. The body could be guessed from a plain digest, which is fast to
    /// compute.
    #[must_use]
    pub fn keyed(self, key: &MacKey<32>) -> Self {
        Self { body_sha256: key.tag(&self.body_sha256), ..self }
    }
}

/// The stored parts of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// Header `Location`.
    pub location: Option<String>,
    /// Header `ETag`.
    pub etag: Option<String>,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

/// The start of a request with an idempotency key.
#[must_use]
pub enum IdempotentBegin<T> {
    /// The request was handled before, with this response.
    Replay(StoredResponse),
    /// The request is new.
    Fresh(IdempotentTx<T>),
}

/// A transaction that stores its response.
#[must_use]
pub struct IdempotentTx<T> {
    tx: T,
    row: Option<IdempotencyKeyId>,
}

impl<T> std::ops::Deref for IdempotentTx<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.tx
    }
}

impl Db {
    /// Begins a write. If `request` is present, it is handled only once; a second request waits for the first.
    ///
    /// # Errors
    /// `IDEMPOTENCY_MISMATCH` if the key was used with another body. `IDEMPOTENCY_IN_FLIGHT` if the first request takes
    /// longer than 2 s.
    pub async fn begin_idempotent<P: WritePermission>(
        &self,
        proof: Authorized<P>,
        request: Option<IdempotentRequest>,
    ) -> Result<IdempotentBegin<OrgTx<P>>> {
        let tx = self.begin(proof).await?;
        let Some(request) = request else {
            return Ok(IdempotentBegin::Fresh(IdempotentTx { tx, row: None }));
        };
        Ok(match claim_key(&tx, request).await? {
            KeyClaim::Used(response) => IdempotentBegin::Replay(response),
            KeyClaim::New(id) => IdempotentBegin::Fresh(IdempotentTx { tx, row: Some(id) }),
        })
    }

    /// Like [`Db::begin_idempotent`], for the tables that no organization owns. The platform stores the response.
    ///
    /// # Errors
    /// Those of [`Db::begin_idempotent`].
    pub async fn begin_global_idempotent(
        &self,
        origin: AuditOrigin,
        request: Option<IdempotentRequest>,
    ) -> Result<IdempotentBegin<GlobalTx>> {
        let tx = self.begin_global(origin).await?;
        let Some(request) = request else {
            return Ok(IdempotentBegin::Fresh(IdempotentTx { tx, row: None }));
        };
        let platform = tx.platform().await?;
        let claim = claim_key(&platform, request).await?;
        drop(platform);
        Ok(match claim {
            KeyClaim::Used(response) => IdempotentBegin::Replay(response),
            KeyClaim::New(id) => IdempotentBegin::Fresh(IdempotentTx { tx, row: Some(id) }),
        })
    }
}

/// The result of claiming a key.
enum KeyClaim {
    /// The key was used before, with this response.
    Used(StoredResponse),
    /// The key is new, and this request owns its row.
    New(IdempotencyKeyId),
}

async fn claim_key<P: WritePermission>(tx: &OrgTx<P>, request: IdempotentRequest) -> Result<KeyClaim> {
    match try_claim(tx, request.clone()).await {
        // The expired row was deleted at this moment.
        Err(Error::NotFound(_)) => try_claim(tx, request).await.map_err(|error| match error {
            Error::NotFound(_) => ErrorCode::IdempotencyInFlight.refuse(),
            error => error,
        }),
        claim => claim,
    }
}

async fn try_claim<P: WritePermission>(tx: &OrgTx<P>, request: IdempotentRequest) -> Result<KeyClaim> {
    let id = IdempotencyKeyId::new(tx.now());
    let row = entity::ActiveModel {
        id: Set(id),
        user_id: Set(request.user),
        operation_id: Set(request.operation_id.to_owned()),
        key: Set(request.key.clone()),
        body_sha256: Set(request.body_sha256.to_vec()),
        expires_at: Set(tx.now() + RETENTION),
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
        return Ok(KeyClaim::New(id));
    }
    let same = Condition::all()
        .add(Column::UserId.eq(request.user))
        .add(Column::OperationId.eq(request.operation_id))
        .add(Column::Key.eq(request.key));
    let existing = tx.find::<Entity>().filter(same).one_locked().await?;
    if existing.expires_at <= tx.now() {
        tx.delete::<Entity>(Column::Id.eq(existing.id)).await?;
        tx.insert(row).await?;
        return Ok(KeyClaim::New(id));
    }
    match existing.body_sha256 == request.body_sha256 {
        true => existing.try_into().map(KeyClaim::Used),
        false => Err(ErrorCode::IdempotencyMismatch.refuse()),
    }
}

/// Stores the response in the row of its key.
async fn store_response<P: WritePermission>(
    tx: &OrgTx<P>,
    id: IdempotencyKeyId,
    response: &StoredResponse,
) -> Result<()> {
    if response.body.len() > MAX_BODY {
        return tx.delete::<Entity>(Column::Id.eq(id)).await.map(drop);
    }
    let row = entity::ActiveModel {
        id: Set(id),
        status: Set(Some(response.status.into())),
        location: Set(response.location.clone()),
        etag: Set(response.etag.clone()),
        body: Set(Some(response.body.clone())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await.map(drop)
}

impl<P: WritePermission> IdempotentTx<OrgTx<P>> {
    /// Commits the changes together with the response.
    ///
    /// # Errors
    /// In debug builds, a change without an audit event.
    pub async fn commit_with(self, response: &StoredResponse) -> Result<()> {
        if let Some(id) = self.row {
            store_response(&self.tx, id, response).await?;
        }
        self.tx.commit().await
    }
}

impl IdempotentTx<GlobalTx> {
    /// Commits the changes together with the response.
    ///
    /// # Errors
    /// In debug builds, a change without an audit event.
    pub async fn commit_with(self, response: &StoredResponse) -> Result<()> {
        if let Some(id) = self.row {
            let platform = self.tx.platform().await?;
            store_response(&platform, id, response).await?;
        }
        self.tx.commit().await
    }
}

impl TryFrom<entity::Model> for StoredResponse {
    type Error = Error;

    fn try_from(row: entity::Model) -> Result<Self> {
        let status = row.status.and_then(|status| u16::try_from(status).ok());
        let (Some(status), Some(body)) = (status, row.body) else {
            return Err(Error::Internal("an idempotency key was committed without a response"));
        };
        Ok(Self { status, location: row.location, etag: row.etag, body })
    }
}

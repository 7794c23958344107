//! `/organizations/{org}/transfer`: transfer of an organization from an owner to another
//! member, who must accept it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        ids::MemberId,
        permissions::{Membership, OrganizationTransfer, OwnMembership},
    },
    tenancy::transfers,
};
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::StrictJson,
    http::{CreatedResponse, EntityTag, JsonResponse, WithEtag},
    problem::Result,
    state::AppState,
};

pub struct TransfersApi(pub Arc<AppState>);

/// An offer to transfer an organization to a member.
#[derive(Object)]
struct TransferCreate {
    /// Id of the member who is to become an owner.
    member_id: Uuid,
}

/// An offer to transfer an organization to a member.
#[derive(Object, Serialize)]
pub(in crate::routes) struct Transfer {
    /// Unique id of the transfer.
    id: Uuid,
    /// Id of the organization that is offered.
    organization_id: Uuid,
    /// Id of the owner who made the offer.
    from_member_id: Uuid,
    /// Id of the member who is to become an owner.
    to_member_id: Uuid,
    /// Status of the transfer.
    status: TransferStatus,
    /// When the offer expires. It cannot be accepted after that.
    expires_at: DateTime<Utc>,
    /// Version number, increased by every change. It is also the `ETag`.
    version: i64,
    /// When the offer was made.
    created_at: DateTime<Utc>,
    /// When the transfer was last changed.
    updated_at: DateTime<Utc>,
}

/// The pending transfer of an organization.
#[derive(Object, Serialize)]
struct PendingTransfer {
    /// The offer that can be accepted now. `null`: there is none.
    #[oai(nullable)]
    transfer: Option<Transfer>,
}

/// Status of a transfer.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(in crate::routes) enum TransferStatus {
    /// The offer waits for a response.
    Pending,
    /// The member accepted and is an owner.
    Accepted,
    /// The member declined the offer.
    Declined,
    /// An owner cancelled the offer.
    Cancelled,
    /// There was no response in time.
    Expired,
}

#[OpenApi(tag = "Tag::Organizations")]
impl TransfersApi {
    /// Offer a transfer
    ///
    /// The member is notified by e-mail and has 7 days to accept. On acceptance they become an owner and you
    /// become an admin. Only an owner can offer a transfer, and a personal organization cannot be
    /// transferred. Requires a login or re-authentication within the last 10 minutes (by default).
    #[oai(path = "/organizations/:org/transfer", method = "post", operation_id = "offerOrganization")]
    async fn offer(
        &self,
        org: tenant::Path<OrganizationTransfer>,
        offer: StrictJson<TransferCreate>,
    ) -> Result<CreatedResponse<Transfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::offer(&tx, MemberId(offer.value.member_id)).await?;
        let location = format!("/api/v1/organizations/{}/transfer", transfer.organization_id);
        let answer =
            CreatedResponse::created(location, EntityTag(transfer.version), &Transfer::from(transfer))?;
        tx.commit().await?;
        Ok(answer)
    }

    /// Get the pending transfer
    ///
    /// Returns the offer that can be accepted now, if there is one.
    #[oai(path = "/organizations/:org/transfer", method = "get", operation_id = "getTransfer")]
    async fn get(&self, org: tenant::Path<Membership>) -> Result<JsonResponse<PendingTransfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::pending(&tx).await?.map(Transfer::from);
        Ok(JsonResponse(PendingTransfer { transfer }))
    }

    /// Accept a transfer
    ///
    /// You become an owner, and the owner who made the offer becomes an admin. Only the member it was offered
    /// to can accept. Requires a login or re-authentication within the last 10 minutes (by default).
    #[oai(path = "/organizations/:org/transfer/accept", method = "post", operation_id = "acceptTransfer")]
    async fn accept(&self, org: tenant::Path<OwnMembership>) -> Result<WithEtag<Transfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::accept(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(transfer.version), transfer.into()))
    }

    /// Cancel or decline a transfer
    ///
    /// If you are an owner, the offer is cancelled. If it was made to you, it is declined.
    #[oai(path = "/organizations/:org/transfer/cancel", method = "post", operation_id = "cancelTransfer")]
    async fn cancel(&self, org: tenant::Path<OwnMembership>) -> Result<WithEtag<Transfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::cancel(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(transfer.version), transfer.into()))
    }
}

impl From<transfers::OwnerTransferStatus> for TransferStatus {
    fn from(status: transfers::OwnerTransferStatus) -> Self {
        match status {
            transfers::OwnerTransferStatus::Pending => Self::Pending,
            transfers::OwnerTransferStatus::Accepted => Self::Accepted,
            transfers::OwnerTransferStatus::Declined => Self::Declined,
            transfers::OwnerTransferStatus::Cancelled => Self::Cancelled,
            transfers::OwnerTransferStatus::Expired => Self::Expired,
        }
    }
}

impl From<transfers::Transfer> for Transfer {
    fn from(row: transfers::Transfer) -> Self {
        Self {
            id: row.id.0,
            organization_id: row.organization_id.0,
            from_member_id: row.from_member_id.0,
            to_member_id: row.to_member_id.0,
            status: row.status.into(),
            expires_at: row.expires_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

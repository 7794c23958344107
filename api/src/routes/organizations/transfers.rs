//! `/organizations/{org}/transfer`: an organization passes from an owner to a member, who accepts it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        ids::MemberId,
        permissions::{Membership, OrganizationTransfer, OwnMembership},
    },
    tenancy::transfers,
};
use poem_openapi::{Enum, Object, OpenApi, param::Header};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::StrictJson,
    http::{CreatedResponse, EntityTag, IfNoneMatch, WithEtag},
    problem::Result,
    state::State,
};

pub struct TransfersApi(pub Arc<State>);

/// To whom an organization is offered.
#[derive(Object)]
struct TransferCreate {
    /// The member who is to own it.
    member_id: Uuid,
}

/// The offer of an organization.
#[derive(Object, Serialize)]
struct Transfer {
    /// The offer.
    id: Uuid,
    /// What is offered.
    organization_id: Uuid,
    /// The owner who hands it over.
    from_member_id: Uuid,
    /// The member who is to own it.
    to_member_id: Uuid,
    /// Where it stands.
    status: TransferStatus,
    /// Until when it can be accepted.
    expires_at: DateTime<Utc>,
    /// Counts its changes; the `ETag`.
    version: i64,
    /// When it was offered.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// Where an offer stands.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum TransferStatus {
    /// It waits for an answer.
    Pending,
    /// The member owns the organization.
    Accepted,
    /// The member does not want it.
    Declined,
    /// An owner took it back.
    Cancelled,
    /// It was not answered in time.
    Expired,
}

#[OpenApi(tag = "Tag::Organizations")]
impl TransfersApi {
    /// Offer an organization to a member
    ///
    /// He is told by mail, and has 7 days. When he accepts, he becomes an owner and the caller, who must be one, an admin.
    /// Needs a recent log-in.
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

    /// Look at the offer of an organization
    ///
    /// The one that can be accepted now.
    #[oai(path = "/organizations/:org/transfer", method = "get", operation_id = "getTransfer")]
    async fn get(
        &self,
        org: tenant::Path<Membership>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Transfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::pending(&tx).await?;
        Ok(WithEtag::new(EntityTag(transfer.version), known.0, || transfer.into()))
    }

    /// Take an organization that is offered to me
    ///
    /// I become an owner, and whoever offered it an admin, at one instant. Needs a recent log-in.
    #[oai(path = "/organizations/:org/transfer/accept", method = "post", operation_id = "acceptTransfer")]
    async fn accept(&self, org: tenant::Path<OwnMembership>) -> Result<WithEtag<Transfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::accept(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(transfer.version), transfer.into()))
    }

    /// Take the offer of an organization back, or decline it
    ///
    /// An owner takes it back; the member to whom it was made declines it.
    #[oai(path = "/organizations/:org/transfer/cancel", method = "post", operation_id = "cancelTransfer")]
    async fn cancel(&self, org: tenant::Path<OwnMembership>) -> Result<WithEtag<Transfer>> {
        let tx = self.0.db.begin(org.0).await?;
        let transfer = transfers::cancel(&tx).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(transfer.version), transfer.into()))
    }
}

impl From<transfers::Status> for TransferStatus {
    fn from(status: transfers::Status) -> Self {
        match status {
            transfers::Status::Pending => Self::Pending,
            transfers::Status::Accepted => Self::Accepted,
            transfers::Status::Declined => Self::Declined,
            transfers::Status::Cancelled => Self::Cancelled,
            transfers::Status::Expired => Self::Expired,
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

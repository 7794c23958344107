//! How an organization is handed from an owner to a member: offered by the one, accepted by the other, and at no instant
//! without an owner.
//!
//! Whoever offers, accepts or ends an offer locks the organization first: they come one after the other.

mod entity;

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait};
use serde_json::{Value, json};

use entity::ActiveModel;
pub(crate) use entity::{Column, Entity};
pub use entity::{Model as Transfer, Status};

use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, OwnerTransferId},
        permissions::{Membership, OrganizationTransfer, OwnMembership, RequiredPermission, WritePermission},
    },
    storage::{
        audit::{Action, Details},
        db::OrgTx,
        outbox::Job,
    },
    tenancy::{members, organizations},
};

/// How long an offer can be accepted.
const LIFETIME: TimeDelta = TimeDelta::days(7);

/// The facts of an offer that the audit log tells.
fn facts(transfer: &Transfer) -> Value {
    json!({ "from_member_id": transfer.from_member_id, "to_member_id": transfer.to_member_id })
}

/// Offers the organization to a member, who is told by mail. Nothing changes until he accepts.
///
/// # Errors
/// `NOT_A_MEMBER` for operators of the platform; `PERSONAL_ORGANIZATION`; `OWNER_PROTECTED` unless the caller is an active
/// owner; `TRANSFER_PENDING`; `VALIDATION_FAILED` naming `member_id` when it is no other active member's.
pub async fn offer(tx: &OrgTx<OrganizationTransfer>, to: MemberId) -> Result<Transfer> {
    let from = tx.own_member()?;
    organizations::refuse_personal(&organizations::lock(tx).await?)?;
    if !members::is_active_owner(tx, from).await? {
        return Err(ErrorCode::OwnerProtected.refuse());
    }
    refuse_unfit(tx, from, to).await?;
    if let Some(before) = unanswered(tx).await? {
        match before.expires_at > tx.now() {
            true => return Err(ErrorCode::TransferPending.refuse()),
            false => settle(tx, before, Status::Expired, Action::TransferExpired).await?,
        };
    }
    let now = tx.now();
    let transfer = tx
        .insert(ActiveModel {
            id: Set(OwnerTransferId::new(now)),
            from_member_id: Set(from),
            to_member_id: Set(to),
            status: Set(Status::Pending),
            expires_at: Set(now + LIFETIME),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    tx.record(Action::TransferOffered, transfer.id, Details::created(facts(&transfer))).await?;
    tx.enqueue(&Job::SendOwnershipOffered { transfer: transfer.id }).await?;
    Ok(transfer)
}

async fn refuse_unfit<P: RequiredPermission>(tx: &OrgTx<P>, from: MemberId, to: MemberId) -> Result<()> {
    let mut fields = FieldErrors::default();
    match members::active(tx, to).await {
        Ok(_) if to == from => {
            fields.add("member_id", "NOT_A_CHOICE", "Choose a member other than yourself.");
        }
        Ok(_) => {}
        Err(Error::NotFound(_)) => {
            fields.add(
                "member_id",
                "UNKNOWN_REFERENCE",
                "There is no such member, or the member is not active.",
            );
        }
        Err(error) => return Err(error),
    }
    fields.into_result()
}

/// The offer that can be accepted now.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn pending(tx: &OrgTx<Membership>) -> Result<Transfer> {
    let pending = unanswered(tx).await?.filter(|transfer| transfer.expires_at > tx.now());
    pending.ok_or(Error::NotFound("transfer"))
}

/// Accepts the offer: the caller becomes an owner, and who offered it an admin, at one instant.
///
/// # Errors
/// `NOT_A_MEMBER` for operators of the platform; `REAUTH_REQUIRED`; `NotFound` when nothing is offered;
/// `TRANSFER_NOT_YOURS` when it is offered to somebody else; `TRANSFER_EXPIRED`; `TRANSFER_VOID` when the one is no
/// active owner, or the other no active member, any more.
pub async fn accept(tx: &OrgTx<OwnMembership>) -> Result<Transfer> {
    let to = tx.own_member()?;
    if !tx.facts().is_recent {
        return Err(ErrorCode::ReauthRequired.refuse());
    }
    organizations::lock(tx).await?;
    let before = answerable(tx, |transfer| transfer.to_member_id == to).await?;
    let is_valid = match members::active(tx, to).await {
        Ok(_) => members::is_active_owner(tx, before.from_member_id).await?,
        Err(Error::NotFound(_)) => false,
        Err(error) => return Err(error),
    };
    if !is_valid {
        return Err(ErrorCode::TransferVoid.refuse());
    }
    members::hand_over(tx, before.from_member_id, to).await?;
    settle(tx, before, Status::Accepted, Action::TransferAccepted).await
}

/// Ends the offer: taken back by an owner, or declined by whom it was offered to.
///
/// # Errors
/// `NotFound` when nothing is offered; `TRANSFER_NOT_YOURS` for anybody else; `TRANSFER_EXPIRED`.
pub async fn cancel(tx: &OrgTx<OwnMembership>) -> Result<Transfer> {
    organizations::lock(tx).await?;
    let is_owner = match tx.member() {
        Some(member) => members::is_active_owner(tx, member).await?,
        // Who of the platform says why counts as one.
        None => tx.facts().is_owner,
    };
    let is_his = |transfer: &Transfer| Some(transfer.to_member_id) == tx.member();
    let before = answerable(tx, |transfer| is_owner || is_his(transfer)).await?;
    match is_his(&before) {
        true => settle(tx, before, Status::Declined, Action::TransferDeclined).await,
        false => settle(tx, before, Status::Cancelled, Action::TransferCancelled).await,
    }
}

/// The offer nobody has answered, in time or not. There is one at most.
async fn unanswered<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Option<Transfer>> {
    match tx.find::<Entity>().filter(Column::Status.eq(Status::Pending)).one().await {
        Err(Error::NotFound(_)) => Ok(None),
        found => found.map(Some),
    }
}

/// The offer, if the caller may answer it and it is not too late.
async fn answerable<P: RequiredPermission>(
    tx: &OrgTx<P>,
    may: impl Fn(&Transfer) -> bool,
) -> Result<Transfer> {
    match unanswered(tx).await? {
        None => Err(Error::NotFound("transfer")),
        Some(transfer) if !may(&transfer) => Err(ErrorCode::TransferNotYours.refuse()),
        Some(transfer) if transfer.expires_at <= tx.now() => Err(ErrorCode::TransferExpired.refuse()),
        Some(transfer) => Ok(transfer),
    }
}

async fn settle<P: WritePermission>(
    tx: &OrgTx<P>,
    before: Transfer,
    status: Status,
    action: Action,
) -> Result<Transfer> {
    let row = ActiveModel {
        id: Set(before.id),
        status: Set(status),
        version: Set(before.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let after = tx.update(row).await?;
    tx.record(action, after.id, Details::removed(facts(&after))).await?;
    Ok(after)
}

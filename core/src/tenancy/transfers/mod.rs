//! Ownership transfers: an owner offers the organization, and a member accepts. The organization always has an owner.
//!
//! Every operation locks the organization first, so concurrent operations run one after the other.

mod entity;

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Order, Query},
};
use serde_json::{Value, json};

use entity::ActiveModel;
pub(crate) use entity::{Column, Entity};
pub use entity::{Model as Transfer, OwnerTransferStatus};

use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, OwnerTransferId, UserId},
        permissions::{Membership, OrganizationTransfer, OwnMembership, RequiredPermission, WritePermission},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{OrgTx, Unscoped},
        outbox::Job,
    },
    tenancy::{members, organizations},
};

/// How long a transfer can be accepted.
const LIFETIME: TimeDelta = TimeDelta::days(7);

/// Returns the values of a transfer for the audit log.
fn facts(transfer: &Transfer) -> Value {
    json!({ "from_member_id": transfer.from_member_id, "to_member_id": transfer.to_member_id })
}

/// Offers the organization to a member and notifies them by e-mail. Nothing else changes until they accept.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers; `PERSONAL_ORGANIZATION`; `OWNER_PROTECTED` unless the caller is an active owner;
/// `TRANSFER_PENDING`; `VALIDATION_FAILED` for `member_id` unless it is another active member.
pub async fn offer(tx: &OrgTx<OrganizationTransfer>, to: MemberId) -> Result<Transfer> {
    let from = tx.own_member()?;
    organizations::refuse_personal(&organizations::lock(tx).await?)?;
    if !members::is_active_owner(tx, from).await? {
        return Err(ErrorCode::OwnerProtected.refuse());
    }
    check_recipient(tx, from, to).await?;
    if let Some(before) = find_unanswered(tx).await? {
        match before.expires_at > tx.now() {
            true => return Err(ErrorCode::TransferPending.refuse()),
            false => close(tx, before, OwnerTransferStatus::Expired, Action::TransferExpired).await?,
        };
    }
    let now = tx.now();
    let transfer = tx
        .insert(ActiveModel {
            id: Set(OwnerTransferId::new(now)),
            from_member_id: Set(from),
            to_member_id: Set(to),
            status: Set(OwnerTransferStatus::Pending),
            expires_at: Set(now + LIFETIME),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    tx.record(Action::TransferOffered, transfer.id, EventDetails::created(facts(&transfer))).await?;
    tx.enqueue(&Job::SendOwnershipOffered { transfer: transfer.id }).await?;
    Ok(transfer)
}

async fn check_recipient<P: RequiredPermission>(tx: &OrgTx<P>, from: MemberId, to: MemberId) -> Result<()> {
    let mut fields = FieldErrors::default();
    match members::get_active(tx, to).await {
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

/// Returns the transfer that can be accepted now, if there is one.
///
/// # Errors
/// Any database error.
pub async fn pending(tx: &OrgTx<Membership>) -> Result<Option<Transfer>> {
    Ok(find_unanswered(tx).await?.filter(|transfer| transfer.expires_at > tx.now()))
}

/// Returns the pending transfers, of all organizations, that a user can accept.
pub(crate) async fn offered_to(tx: &Unscoped, user: UserId) -> Result<Vec<Transfer>> {
    let transfer = |column: Column| Expr::col((Entity, column));
    let member = |column: members::Column| Expr::col((members::Entity, column));
    let organization = |column: organizations::Column| Expr::col((organizations::Entity, column));
    let recipient = Condition::all()
        .add(member(members::Column::OrganizationId).eq(transfer(Column::OrganizationId)))
        .add(member(members::Column::Id).eq(transfer(Column::ToMemberId)))
        .add(member(members::Column::Status).eq(members::ACTIVE));
    let existing = Condition::all()
        .add(organization(organizations::Column::Id).eq(transfer(Column::OrganizationId)))
        .add(organization(organizations::Column::DeletedAt).is_null());
    let mut query = Query::select();
    query
        .column((Entity, Asterisk))
        .from(Entity)
        .join(JoinType::InnerJoin, members::Entity, recipient)
        .join(JoinType::InnerJoin, organizations::Entity, existing)
        .and_where(member(members::Column::UserId).eq(user))
        .and_where(transfer(Column::Status).eq(OwnerTransferStatus::Pending))
        .and_where(transfer(Column::ExpiresAt).gt(tx.now()))
        .order_by((Entity, Column::Id), Order::Asc);
    tx.rows(&query).await
}

/// Accepts the transfer. In one transaction, the caller becomes an owner and the sender an admin.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers; `REAUTH_REQUIRED`; `NotFound` when there is no transfer; `TRANSFER_NOT_YOURS` when it is
/// offered to another member; `TRANSFER_EXPIRED`; `TRANSFER_VOID` when the sender is no longer an active owner, or the caller
/// no longer an active member.
pub async fn accept(tx: &OrgTx<OwnMembership>) -> Result<Transfer> {
    let to = tx.own_member()?;
    if !tx.facts().is_recent {
        return Err(ErrorCode::ReauthRequired.refuse());
    }
    organizations::lock(tx).await?;
    let before = find_answerable(tx, |transfer| transfer.to_member_id == to).await?;
    let is_valid = match members::get_active(tx, to).await {
        Ok(_) => members::is_active_owner(tx, before.from_member_id).await?,
        Err(Error::NotFound(_)) => false,
        Err(error) => return Err(error),
    };
    if !is_valid {
        return Err(ErrorCode::TransferVoid.refuse());
    }
    members::transfer_ownership(tx, before.from_member_id, to).await?;
    close(tx, before, OwnerTransferStatus::Accepted, Action::TransferAccepted).await
}

/// Ends the transfer. The recipient declines it; an owner cancels it.
///
/// # Errors
/// `NotFound` when there is no transfer; `TRANSFER_NOT_YOURS` for other members; `TRANSFER_EXPIRED`.
pub async fn cancel(tx: &OrgTx<OwnMembership>) -> Result<Transfer> {
    organizations::lock(tx).await?;
    let is_owner = match tx.member() {
        Some(member) => members::is_active_owner(tx, member).await?,
        // A superuser who gave a reason counts as an owner.
        None => tx.facts().is_owner,
    };
    let is_recipient = |transfer: &Transfer| Some(transfer.to_member_id) == tx.member();
    let before = find_answerable(tx, |transfer| is_owner || is_recipient(transfer)).await?;
    match is_recipient(&before) {
        true => close(tx, before, OwnerTransferStatus::Declined, Action::TransferDeclined).await,
        false => close(tx, before, OwnerTransferStatus::Cancelled, Action::TransferCancelled).await,
    }
}

/// Returns the stored pending transfer, also an expired one. There is at most one.
async fn find_unanswered<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Option<Transfer>> {
    match tx.find::<Entity>().filter(Column::Status.eq(OwnerTransferStatus::Pending)).one().await {
        Err(Error::NotFound(_)) => Ok(None),
        found => found.map(Some),
    }
}

/// Returns the transfer, if `is_allowed` permits the caller to answer it and it has not expired.
async fn find_answerable<P: RequiredPermission>(
    tx: &OrgTx<P>,
    is_allowed: impl Fn(&Transfer) -> bool,
) -> Result<Transfer> {
    match find_unanswered(tx).await? {
        None => Err(Error::NotFound("transfer")),
        Some(transfer) if !is_allowed(&transfer) => Err(ErrorCode::TransferNotYours.refuse()),
        Some(transfer) if transfer.expires_at <= tx.now() => Err(ErrorCode::TransferExpired.refuse()),
        Some(transfer) => Ok(transfer),
    }
}

/// Ends a transfer with `status` and records the event.
async fn close<P: WritePermission>(
    tx: &OrgTx<P>,
    before: Transfer,
    status: OwnerTransferStatus,
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
    tx.record(action, after.id, EventDetails::removed(facts(&after))).await?;
    Ok(after)
}

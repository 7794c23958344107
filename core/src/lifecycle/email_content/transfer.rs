//! The e-mail to a member who is offered an organization.

use sea_orm::{
    ColumnTrait,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Query},
};

use super::{Composer, Composition, EmailContent, InvitationNames, skip, skip_missing};
use crate::{
    Result,
    base::ids::{MemberId, OwnerTransferId},
    identity::users::{self, User},
    storage::db::Unscoped,
    tenancy::{
        members,
        organizations::{self, Organization},
        transfers::{self, OwnerTransferStatus, Transfer},
    },
};

impl Composer<'_> {
    /// Composes the e-mail while the transfer is pending.
    pub(super) async fn about_transfer(&self, transfer: OwnerTransferId) -> Result<Composition> {
        let transfer = transfers::Column::Id.eq(transfer);
        let Some(transfer) = self.one::<Transfer>(transfers::Entity, transfer).await? else {
            return Ok(skip_missing());
        };
        let organization = organizations::Column::Id.eq(transfer.organization_id);
        let organization: Option<Organization> = self.one(organizations::Entity, organization).await?;
        let (from, to) = (
            user_of(&self.tx, transfer.from_member_id).await?,
            user_of(&self.tx, transfer.to_member_id).await?,
        );
        let (Some(organization), Some(from), Some(to)) = (organization, from, to) else {
            return Ok(skip_missing());
        };
        let skip_reason = match () {
            () if organization.deleted_at.is_some() => Some("the organization was deleted"),
            () if transfer.status != OwnerTransferStatus::Pending => {
                Some("the transfer was answered or cancelled")
            }
            () if transfer.expires_at <= self.tx.now() => Some("the transfer has expired"),
            () if !to.can_log_in() => Some("the account was deleted or deactivated"),
            () => None,
        };
        if let Some(reason) = skip_reason {
            return Ok(skip(&to, reason));
        }
        let invitation = InvitationNames::new(&organization.name, &from.display_name());
        let until = Some(transfer.expires_at);
        Ok(Composition::Send(EmailContent {
            until,
            invitation: Some(Box::new(invitation)),
            ..self.content(&to)
        }))
    }
}

/// The user of a member.
async fn user_of(tx: &Unscoped, member: MemberId) -> Result<Option<User>> {
    let mut query = Query::select();
    query
        .column((users::Entity, Asterisk))
        .from(members::Entity)
        .join(
            JoinType::InnerJoin,
            users::Entity,
            Expr::col((users::Entity, users::Column::Id)).equals((members::Entity, members::Column::UserId)),
        )
        .and_where(members::Column::Id.eq(member));
    Ok(tx.rows(&query).await?.into_iter().next())
}

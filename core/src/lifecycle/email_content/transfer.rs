//! The mail about an organization that is offered to a member.

use sea_orm::{
    ColumnTrait,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Query},
};

use super::{Composed, Composer, EmailContent, InvitationNames, gone, needless};
use crate::{
    Result,
    base::ids::{MemberId, OwnerTransferId},
    identity::users::{self, User},
    storage::db::Unscoped,
    tenancy::{
        members,
        organizations::{self, Organization},
        transfers::{self, Status, Transfer},
    },
};

impl Composer<'_> {
    /// While it can be accepted.
    pub(super) async fn of_offer(&self, transfer: OwnerTransferId) -> Result<Composed> {
        let transfer = transfers::Column::Id.eq(transfer);
        let Some(transfer) = self.one::<Transfer>(transfers::Entity, transfer).await? else {
            return Ok(gone());
        };
        let organization = organizations::Column::Id.eq(transfer.organization_id);
        let organization: Option<Organization> = self.one(organizations::Entity, organization).await?;
        let (from, to) = (
            behind(&self.tx, transfer.from_member_id).await?,
            behind(&self.tx, transfer.to_member_id).await?,
        );
        let (Some(organization), Some(from), Some(to)) = (organization, from, to) else { return Ok(gone()) };
        let against = match () {
            () if organization.deleted_at.is_some() => Some("the organization was deleted"),
            () if transfer.status != Status::Pending => Some("the transfer was answered or cancelled"),
            () if transfer.expires_at <= self.tx.now() => Some("the transfer has expired"),
            () if !to.is_welcome() => Some("the account was deleted or deactivated"),
            () => None,
        };
        if let Some(reason) = against {
            return Ok(needless(&to, reason));
        }
        let invitation = InvitationNames::new(&organization.name, &from.display_name());
        let until = Some(transfer.expires_at);
        Ok(Composed::Send(EmailContent { until, invitation: Some(Box::new(invitation)), ..self.letter(&to) }))
    }
}

/// The person who is this member.
async fn behind(tx: &Unscoped, member: MemberId) -> Result<Option<User>> {
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

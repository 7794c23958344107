//! The checks before invitations are created, with one lookup for all of them.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::{Column, Entity, InvitationStatus, NewInvitation, expiry};
use crate::{
    Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::RoleId,
        permissions::{ActorAccess, MembershipAccess, RoleGrants, WritePermission},
        text::EmailAddress,
    },
    identity::users,
    storage::db::OrgTx,
    tenancy::{members::join, roles},
};

/// The data for the checks. The organization is locked, so the data stays current.
pub(super) struct InvitationChecks {
    roles: Vec<RoleGrants>,
    /// Canonical e-mail addresses of members.
    members: HashSet<String>,
    /// Canonical e-mail addresses with a pending invitation.
    pending: HashSet<String>,
}

impl InvitationChecks {
    /// Looks up the data for all invitations in `new`. Marks overdue invitations as expired, so that they do not conflict.
    pub(super) async fn load<P: WritePermission>(tx: &OrgTx<P>, new: &[NewInvitation]) -> Result<Self> {
        let emails: Vec<_> = new.iter().map(|new| new.email.key()).collect();
        let to_emails = || Condition::all().add(Column::EmailCanonical.is_in(emails.iter().copied()));
        expiry::expire(tx, to_emails()).await?;
        let pending = to_emails().add(Column::Status.eq(InvitationStatus::Pending));
        let pending = tx.find::<Entity>().filter(pending).all().await?;
        let names: HashSet<_> = new.iter().flat_map(|new| new.roles.iter().map(String::as_str)).collect();
        let ids = names.iter().filter_map(|name| id(name));
        let condition = Condition::any()
            .add(roles::Column::Id.is_in(ids))
            .add(roles::Column::Key.is_in(names.iter().copied()));
        let roles = tx.find::<roles::Entity>().filter(condition).all().await?;
        Ok(Self {
            roles: roles::grants(tx, roles).await?,
            members: members_among(tx, &emails).await?,
            pending: pending.into_iter().map(|invitation| invitation.email_canonical).collect(),
        })
    }

    /// Checks an invitation by an inviter with the access `facts`. Returns its roles, and counts it as pending.
    pub(super) fn admit(
        &mut self,
        facts: &ActorAccess,
        email: &EmailAddress,
        roles: &[String],
    ) -> Result<Vec<RoleGrants>> {
        let (mut fields, mut granted) = (FieldErrors::default(), Vec::<RoleGrants>::new());
        for (at, name) in roles.iter().enumerate() {
            match self.role(name) {
                None => {
                    let message = format!("There is no role “{name}”.");
                    fields.add(&format!("roles[{at}]"), "UNKNOWN_REFERENCE", message);
                }
                // A role can be named both by its key and by its id.
                Some(role) if granted.iter().any(|known| known.id == role.id) => {}
                Some(role) => granted.push(role.clone()),
            }
        }
        fields.into_result()?;
        let access = MembershipAccess { roles: granted.into(), ..MembershipAccess::default() };
        facts.refuse_escalation(access.held(), access.is_owner())?;
        match () {
            () if self.members.contains(email.key()) => Err(ErrorCode::AlreadyMember.refuse()),
            () if !self.pending.insert(email.key().to_owned()) => Err(ErrorCode::InvitationPending.refuse()),
            () => Ok(access.roles.to_vec()),
        }
    }

    fn role(&self, name: &str) -> Option<&RoleGrants> {
        let by_id = id(name).and_then(|id| self.roles.iter().find(|role| role.id == id));
        by_id.or_else(|| self.roles.iter().find(|role| role.key == name))
    }
}

fn id(name: &str) -> Option<RoleId> {
    Uuid::try_parse(name).ok().map(RoleId)
}

/// Returns those of these canonical e-mail addresses that belong to members, also to suspended ones.
pub(super) async fn members_among<P: WritePermission>(
    tx: &OrgTx<P>,
    emails: &[&str],
) -> Result<HashSet<String>> {
    let condition = users::Column::EmailCanonical.is_in(emails.iter().copied());
    let users = tx.global().find::<users::Entity>().filter(condition).all().await?;
    let emails_by_user: HashMap<_, _> =
        users.into_iter().map(|user| (user.id, user.email_canonical)).collect();
    let members = join::current_members(tx, emails_by_user.keys().copied().collect()).await?;
    Ok(members.into_iter().filter_map(|member| emails_by_user.get(&member).cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::permissions::BuiltinRole;

    fn role(number: u128, role: BuiltinRole) -> RoleGrants {
        RoleGrants {
            id: RoleId(Uuid::from_u128(number)),
            key: role.key().to_owned(),
            name: role.name().to_owned(),
            is_builtin: true,
            permissions: role.permissions(),
        }
    }

    fn checks() -> InvitationChecks {
        let roles = BuiltinRole::ALL.iter().zip(1..).map(|(builtin, number)| role(number, *builtin));
        let (members, pending) = (["ada@example.com".to_owned()].into(), HashSet::new());
        InvitationChecks { roles: roles.collect(), members, pending }
    }

    fn facts(role: BuiltinRole) -> ActorAccess {
        let (held, is_owner) = (role.permissions(), role == BuiltinRole::Owner);
        ActorAccess { held, is_owner, ..ActorAccess::platform() }
    }

    fn admit(
        checks: &mut InvitationChecks,
        by: BuiltinRole,
        email: &str,
        roles: &[&str],
    ) -> Result<usize, ErrorCode> {
        let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
        let email = EmailAddress::parse(email).unwrap();
        checks.admit(&facts(by), &email, &roles).map(|roles| roles.len()).map_err(|error| error.code())
    }

    #[test]
    fn an_email_address_is_invited_only_once() {
        use BuiltinRole::{Admin, Member, Owner};
        let (mut checks, viewer) = (checks(), Uuid::from_u128(4).to_string());
        assert_eq!(admit(&mut checks, Admin, "Ada@Example.com", &["viewer"]), Err(ErrorCode::AlreadyMember));
        assert_eq!(admit(&mut checks, Admin, "eve@example.com", &["viewer", &viewer, "member"]), Ok(2));
        assert_eq!(admit(&mut checks, Admin, "EVE@example.com", &[]), Err(ErrorCode::InvitationPending));
        // An error of the roles comes first, and does not make the invitation pending.
        assert_eq!(admit(&mut checks, Admin, "bob@example.com", &["owner"]), Err(ErrorCode::OwnerProtected));
        assert_eq!(admit(&mut checks, Member, "bob@example.com", &["admin"]), Err(ErrorCode::Escalation));
        assert_eq!(
            admit(&mut checks, Owner, "bob@example.com", &["nobody"]),
            Err(ErrorCode::ValidationFailed)
        );
        assert_eq!(admit(&mut checks, Owner, "bob@example.com", &["owner"]), Ok(1));
    }
}

//! What is known before people are invited, looked up for all of them at once.

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

/// What decides whether somebody can be invited. The organization is locked, so it stays true.
pub(super) struct InvitationChecks {
    roles: Vec<RoleGrants>,
    /// Canonical addresses of members.
    members: HashSet<String>,
    /// Canonical addresses of those who have not answered.
    pending: HashSet<String>,
}

impl InvitationChecks {
    /// Of everybody in `new`. What has expired no longer stands in the way.
    pub(super) async fn open<P: WritePermission>(tx: &OrgTx<P>, new: &[NewInvitation]) -> Result<Self> {
        let emails: Vec<_> = new.iter().map(|new| new.email.key()).collect();
        let to_these = || Condition::all().add(Column::EmailCanonical.is_in(emails.iter().copied()));
        expiry::expire(tx, to_these()).await?;
        let pending = to_these().add(Column::Status.eq(InvitationStatus::Pending));
        let pending = tx.find::<Entity>().filter(pending).all().await?;
        let named: HashSet<_> = new.iter().flat_map(|new| new.roles.iter().map(String::as_str)).collect();
        let by_id = named.iter().filter_map(|name| id(name));
        let named = Condition::any()
            .add(roles::Column::Id.is_in(by_id))
            .add(roles::Column::Key.is_in(named.iter().copied()));
        let named = tx.find::<roles::Entity>().filter(named).all().await?;
        Ok(Self {
            roles: roles::grants(tx, named).await?,
            members: members_among(tx, &emails).await?,
            pending: pending.into_iter().map(|invitation| invitation.email_canonical).collect(),
        })
    }

    /// The roles that he gets, if somebody of whom `facts` are known may invite him now; then he is noted.
    pub(super) fn admit(
        &mut self,
        facts: &ActorAccess,
        email: &EmailAddress,
        roles: &[String],
    ) -> Result<Vec<RoleGrants>> {
        let (mut fields, mut given) = (FieldErrors::default(), Vec::<RoleGrants>::new());
        for (at, name) in roles.iter().enumerate() {
            match self.role(name) {
                None => {
                    let message = format!("There is no role `{name}`.");
                    fields.add(&format!("roles[{at}]"), "UNKNOWN_REFERENCE", message);
                }
                // By its key and by its id it is one.
                Some(role) if given.iter().any(|known| known.id == role.id) => {}
                Some(role) => given.push(role.clone()),
            }
        }
        fields.into_result()?;
        let position = MembershipAccess { roles: given, ..MembershipAccess::default() };
        facts.refuse_escalation(position.held(), position.is_owner())?;
        match () {
            () if self.members.contains(email.key()) => Err(ErrorCode::AlreadyMember.refuse()),
            () if !self.pending.insert(email.key().to_owned()) => Err(ErrorCode::InvitationPending.refuse()),
            () => Ok(position.roles),
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

/// Which of these canonical addresses are those of members, suspended ones among them.
pub(super) async fn members_among<P: WritePermission>(
    tx: &OrgTx<P>,
    emails: &[&str],
) -> Result<HashSet<String>> {
    let theirs = users::Column::EmailCanonical.is_in(emails.iter().copied());
    let people = tx.global().find::<users::Entity>().filter(theirs).all().await?;
    let people: HashMap<_, _> = people.into_iter().map(|user| (user.id, user.email_canonical)).collect();
    let members = join::belonging(tx, people.keys().copied().collect()).await?;
    Ok(members.into_iter().filter_map(|member| people.get(&member).cloned()).collect())
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

    fn book() -> InvitationChecks {
        let roles = BuiltinRole::ALL.iter().zip(1..).map(|(builtin, number)| role(number, *builtin));
        let (members, pending) = (["ada@example.com".to_owned()].into(), HashSet::new());
        InvitationChecks { roles: roles.collect(), members, pending }
    }

    fn facts(role: BuiltinRole) -> ActorAccess {
        let (held, is_owner) = (role.permissions(), role == BuiltinRole::Owner);
        ActorAccess { member: None, held, is_owner, is_recent: true }
    }

    fn admit(
        book: &mut InvitationChecks,
        by: BuiltinRole,
        email: &str,
        roles: &[&str],
    ) -> Result<usize, ErrorCode> {
        let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
        let email = EmailAddress::parse(email).unwrap();
        book.admit(&facts(by), &email, &roles).map(|roles| roles.len()).map_err(|error| error.code())
    }

    #[test]
    fn who_is_invited_once_is_not_invited_twice() {
        use BuiltinRole::{Admin, Member, Owner};
        let (mut book, viewer) = (book(), Uuid::from_u128(4).to_string());
        assert_eq!(admit(&mut book, Admin, "Ada@Example.com", &["viewer"]), Err(ErrorCode::AlreadyMember));
        assert_eq!(admit(&mut book, Admin, "eve@example.com", &["viewer", &viewer, "member"]), Ok(2));
        assert_eq!(admit(&mut book, Admin, "EVE@example.com", &[]), Err(ErrorCode::InvitationPending));
        // A refusal of his roles comes first, and notes nothing.
        assert_eq!(admit(&mut book, Admin, "bob@example.com", &["owner"]), Err(ErrorCode::OwnerProtected));
        assert_eq!(admit(&mut book, Member, "bob@example.com", &["admin"]), Err(ErrorCode::Escalation));
        assert_eq!(admit(&mut book, Owner, "bob@example.com", &["nobody"]), Err(ErrorCode::ValidationFailed));
        assert_eq!(admit(&mut book, Owner, "bob@example.com", &["owner"]), Ok(1));
    }
}

//! Nobody climbs, whatever he tries and in whatever order.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    base::{
        ids::OrgId,
        permissions::{
            Actor, ActorAccess, AuditOrigin, Authorized, MembersUpdate, PermissionSet, RolesCreate,
            RolesDelete, RolesUpdate,
        },
        text::{EmailAddress, RoleDescription, RoleName},
    },
    identity::users::{self, EmailState, NewUser},
    storage::db::{
        Expected,
        test_db::{TestDb, TestTenant},
    },
    tenancy::{
        members::dry_run::{Rights, rights},
        roles::{NewRole, RoleRef, RoleWithPermissions},
    },
};

/// What giving needs, and what might be given.
const INTERESTING: [Permission; 9] = [
    Permission::RolesCreate,
    Permission::RolesUpdate,
    Permission::RolesDelete,
    Permission::RolesAssign,
    Permission::MembersUpdate,
    Permission::MembersRead,
    Permission::AuditRead,
    Permission::SettingsUpdate,
    Permission::OrganizationDelete,
];
/// People besides the owner.
const PEOPLE: usize = 4;

/// Something that a member tries; numbers name members and roles, modulo how many there are.
#[derive(Clone, Debug)]
enum Attempt {
    AddRole(u16),
    SetPermissions(usize, u16),
    Assign(usize, Vec<usize>),
    Suspend(usize, bool),
    Reassign(usize, usize),
}

fn attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        1 => any::<u16>().prop_map(Attempt::AddRole),
        2 => (any::<usize>(), any::<u16>()).prop_map(|(role, bits)| Attempt::SetPermissions(role, bits)),
        2 => (any::<usize>(), vec(any::<usize>(), 0..4))
            .prop_map(|(member, roles)| Attempt::Assign(member, roles)),
        3 => any::<(usize, bool)>().prop_map(|(member, is_suspended)| Attempt::Suspend(member, is_suspended)),
        1 => any::<(usize, usize)>().prop_map(|(role, other)| Attempt::Reassign(role, other)),
    ]
}

fn set(bits: u16) -> PermissionSet {
    let chosen = INTERESTING.iter().enumerate().filter(|(place, _)| bits & (1 << place) != 0);
    chosen.map(|(_, permission)| *permission).collect()
}

struct Place {
    sandbox: TestDb,
    tenant: TestTenant,
    members: Vec<MemberId>,
    roles: Vec<RoleId>,
    named: usize,
}

impl Place {
    async fn new() -> Self {
        let sandbox = TestDb::new().await;
        let tenant = sandbox.tenant("acme").await;
        let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let email = EmailAddress::parse(&format!("person{number}@example.com")).unwrap();
            let new = NewUser { email, username: None, first_name: None, last_name: None };
            people.push(users::create(&tx, new, false, EmailState::Verified).await.unwrap().id);
        }
        #[expect(clippy::disallowed_methods, reason = "tests need members before anybody can be invited")]
        let scope = tx.enter_org(tenant.org).await.unwrap();
        let mut members = Vec::new();
        for user in people {
            members.push(add(&scope, user, BuiltinRole::Viewer).await.unwrap().id);
        }
        drop(scope);
        tx.commit().await.unwrap();
        Self { sandbox, tenant, members, roles: Vec::new(), named: 0 }
    }

    fn name(&mut self) -> RoleName {
        self.named += 1;
        RoleName::parse(&format!("Role {}", self.named)).unwrap()
    }

    fn draft(&mut self, bits: u16) -> NewRole {
        NewRole { name: self.name(), description: RoleDescription::default(), permissions: set(bits) }
    }

    async fn rights(&self) -> Rights {
        let tx = self.sandbox.begin::<MembersRead>(self.tenant).await;
        rights(&tx, &self.members).await.unwrap()
    }

    /// What a request of this member would prove, if he may do `P` at all.
    fn proof<P: RequiredPermission>(&self, actor: MemberId, held: PermissionSet) -> Option<Authorized<P>> {
        let facts = ActorAccess { member: Some(actor), held, is_owner: false, is_recent: true };
        let origin = AuditOrigin::of(Actor::User(self.tenant.owner));
        let org: OrgId = self.tenant.org;
        #[expect(clippy::disallowed_methods, reason = "tests of what comes after the look-up")]
        let proof = Authorized::from_lookup(org, origin, facts);
        P::PERMISSION.is_some_and(|permission| held.contains(permission)).then_some(proof)
    }

    /// `true`: it was done.
    async fn attempt(&mut self, actor: MemberId, held: PermissionSet, attempt: Attempt) -> bool {
        let role = |number: usize| self.roles.get(number % self.roles.len().max(1)).copied();
        let db = &self.sandbox.db;
        match attempt {
            Attempt::AddRole(bits) => {
                let draft = self.draft(bits);
                let Some(proof) = self.proof::<RolesCreate>(actor, held) else { return false };
                let tx = self.sandbox.db.begin(proof).await.unwrap();
                let Ok(RoleWithPermissions { role, .. }) = roles::create(&tx, draft).await else {
                    return false;
                };
                tx.commit().await.unwrap();
                self.roles.push(role.id);
            }
            Attempt::SetPermissions(number, bits) => {
                let (Some(role), Some(proof)) = (role(number), self.proof::<RolesUpdate>(actor, held)) else {
                    return false;
                };
                let tx = db.begin(proof).await.unwrap();
                if roles::set_permissions(&tx, role, set(bits), &Expected::Any).await.is_err() {
                    return false;
                }
                tx.commit().await.unwrap();
            }
            Attempt::Assign(member, numbers) => {
                let roles = numbers.into_iter().filter_map(role).map(RoleRef::Id).collect();
                let changes = MemberChanges { roles: Some(roles), ..MemberChanges::default() };
                return self.change(actor, held, member, changes).await;
            }
            Attempt::Suspend(member, is_suspended) => {
                let changes = MemberChanges { is_suspended: Some(is_suspended), ..MemberChanges::default() };
                return self.change(actor, held, member, changes).await;
            }
            Attempt::Reassign(number, other) => {
                let (Some(gone), Some(other), Some(proof)) =
                    (role(number), role(other), self.proof::<RolesDelete>(actor, held))
                else {
                    return false;
                };
                let tx = db.begin(proof).await.unwrap();
                if remove_role(&tx, gone, Some(&RoleRef::Id(other)), &Expected::Any, &[]).await.is_err() {
                    return false;
                }
                tx.commit().await.unwrap();
                self.roles.retain(|role| *role != gone);
            }
        }
        true
    }

    async fn change(
        &self,
        actor: MemberId,
        held: PermissionSet,
        member: usize,
        changes: MemberChanges,
    ) -> bool {
        let member = self.members[member % PEOPLE];
        let Some(proof) = self.proof::<MembersUpdate>(actor, held) else { return false };
        let tx = self.sandbox.db.begin(proof).await.unwrap();
        if change(&tx, member, changes, &Expected::Any).await.is_err() {
            return false;
        }
        tx.commit().await.unwrap();
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever members do to each other and to themselves: nobody gets what neither he nor whoever acted had.
    #[test]
    fn no_sequence_of_attempts_gives_anybody_what_no_giver_held(
        start in vec(any::<u16>(), PEOPLE),
        attempts in vec((0..PEOPLE, attempt()), 10..30),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut place = Place::new().await;
            // The owner gives each a role of his own to begin with.
            for (number, bits) in start.into_iter().enumerate() {
                let draft = place.draft(bits);
                let tx = place.sandbox.begin::<RolesCreate>(place.tenant).await;
                let role = roles::create(&tx, draft).await.unwrap().role.id;
                tx.commit().await.unwrap();
                place.roles.push(role);
                let tx = place.sandbox.begin::<MembersUpdate>(place.tenant).await;
                let changes = MemberChanges { roles: Some(vec![RoleRef::Id(role)]), ..MemberChanges::default() };
                change(&tx, place.members[number], changes, &Expected::Any).await.unwrap();
                tx.commit().await.unwrap();
            }
            for (actor, attempt) in attempts {
                let (actor, before) = (place.members[actor], place.rights().await);
                // Who is suspended can do nothing.
                let Some(held) = before.get(&actor).copied() else { continue };
                let told = format!("{actor} holding {held:?}: {attempt:?}");
                if !place.attempt(actor, held, attempt).await {
                    assert_eq!(place.rights().await, before, "refused, and done: {told}");
                }
                for (member, after) in place.rights().await {
                    let had = before.get(&member).copied().unwrap_or_default();
                    assert!(had.union(held).contains_all(after), "{member} got {after:?} by {told}");
                }
            }
        });
    }
}

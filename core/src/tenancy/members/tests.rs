//! No sequence of operations escalates permissions.

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
        ExpectedVersion,
        test_db::{TestDb, TestTenant},
    },
    tenancy::{
        members::dry_run::{MemberPermissionSets, permission_sets},
        roles::{NewRole, RoleRef, RoleWithPermissions},
    },
};

/// Permissions that grants need, and some that can be granted.
const PERMISSIONS: [Permission; 9] = [
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
/// Number of members besides the owner.
const MEMBERS: usize = 4;

/// An operation that a member attempts. Numbers select members and roles, modulo their count.
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
    let chosen = PERMISSIONS.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
    chosen.map(|(_, permission)| *permission).collect()
}

struct EscalationFixture {
    test_db: TestDb,
    tenant: TestTenant,
    members: Vec<MemberId>,
    roles: Vec<RoleId>,
    role_count: usize,
}

impl EscalationFixture {
    async fn new() -> Self {
        let test_db = TestDb::new().await;
        let tenant = test_db.tenant("acme").await;
        let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        let mut users = Vec::new();
        for number in 0..MEMBERS {
            let email = EmailAddress::parse(&format!("person{number}@example.com")).unwrap();
            let new = NewUser { email, username: None, first_name: None, last_name: None };
            users.push(users::create(&tx, new, false, EmailState::Verified).await.unwrap().id);
        }
        #[expect(clippy::disallowed_methods, reason = "tests need members without an invitation")]
        let scope = tx.enter_org(tenant.org).await.unwrap();
        let mut members = Vec::new();
        for user in users {
            members.push(add(&scope, user, BuiltinRole::Viewer).await.unwrap().id);
        }
        drop(scope);
        tx.commit().await.unwrap();
        Self { test_db, tenant, members, roles: Vec::new(), role_count: 0 }
    }

    fn name(&mut self) -> RoleName {
        self.role_count += 1;
        RoleName::parse(&format!("Role {}", self.role_count)).unwrap()
    }

    fn draft(&mut self, bits: u16) -> NewRole {
        NewRole { name: self.name(), description: RoleDescription::default(), permissions: set(bits) }
    }

    async fn permission_sets(&self) -> MemberPermissionSets {
        let tx = self.test_db.begin::<MembersRead>(self.tenant).await;
        permission_sets(&tx, &self.members).await.unwrap()
    }

    /// Returns the authorization of a request of this member, if they have the permission `P`.
    fn proof<P: RequiredPermission>(&self, actor: MemberId, held: PermissionSet) -> Option<Authorized<P>> {
        let facts = ActorAccess { member: Some(actor), held, is_owner: false, ..ActorAccess::platform() };
        let origin = AuditOrigin::of(Actor::User(self.tenant.owner));
        let org: OrgId = self.tenant.org;
        #[expect(clippy::disallowed_methods, reason = "the test replaces the lookup")]
        let proof = Authorized::from_lookup(org, origin, facts);
        P::PERMISSION.is_some_and(|permission| held.contains(permission)).then_some(proof)
    }

    /// Returns whether the operation succeeded.
    async fn attempt(&mut self, actor: MemberId, held: PermissionSet, attempt: Attempt) -> bool {
        let role = |number: usize| self.roles.get(number % self.roles.len().max(1)).copied();
        let db = &self.test_db.db;
        match attempt {
            Attempt::AddRole(bits) => {
                let draft = self.draft(bits);
                let Some(proof) = self.proof::<RolesCreate>(actor, held) else { return false };
                let tx = self.test_db.db.begin(proof).await.unwrap();
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
                if roles::set_permissions(&tx, role, set(bits), &ExpectedVersion::Any).await.is_err() {
                    return false;
                }
                tx.commit().await.unwrap();
            }
            Attempt::Assign(member, numbers) => {
                let roles = numbers.into_iter().filter_map(role).map(RoleRef::Id).collect();
                let changes = MemberChanges { roles: Some(roles), ..MemberChanges::default() };
                return self.update(actor, held, member, changes).await;
            }
            Attempt::Suspend(member, is_suspended) => {
                let changes = MemberChanges { is_suspended: Some(is_suspended), ..MemberChanges::default() };
                return self.update(actor, held, member, changes).await;
            }
            Attempt::Reassign(number, other) => {
                let (Some(removed), Some(other), Some(proof)) =
                    (role(number), role(other), self.proof::<RolesDelete>(actor, held))
                else {
                    return false;
                };
                let tx = db.begin(proof).await.unwrap();
                if remove_role(&tx, removed, Some(&RoleRef::Id(other)), &ExpectedVersion::Any, &[])
                    .await
                    .is_err()
                {
                    return false;
                }
                tx.commit().await.unwrap();
                self.roles.retain(|role| *role != removed);
            }
        }
        true
    }

    async fn update(
        &self,
        actor: MemberId,
        held: PermissionSet,
        member: usize,
        changes: MemberChanges,
    ) -> bool {
        let member = self.members[member % MEMBERS];
        let Some(proof) = self.proof::<MembersUpdate>(actor, held) else { return false };
        let tx = self.test_db.db.begin(proof).await.unwrap();
        if update(&tx, member, changes, &ExpectedVersion::Any).await.is_err() {
            return false;
        }
        tx.commit().await.unwrap();
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Members can change each other and themselves. A member only gets permissions that they or the actor had before.
    #[test]
    fn no_sequence_of_operations_escalates_permissions(
        start in vec(any::<u16>(), MEMBERS),
        attempts in vec((0..MEMBERS, attempt()), 10..30),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut fixture = EscalationFixture::new().await;
            // The owner starts with a separate role for each member.
            for (number, bits) in start.into_iter().enumerate() {
                let draft = fixture.draft(bits);
                let tx = fixture.test_db.begin::<RolesCreate>(fixture.tenant).await;
                let role = roles::create(&tx, draft).await.unwrap().role.id;
                tx.commit().await.unwrap();
                fixture.roles.push(role);
                let tx = fixture.test_db.begin::<MembersUpdate>(fixture.tenant).await;
                let changes = MemberChanges { roles: Some(vec![RoleRef::Id(role)]), ..MemberChanges::default() };
                update(&tx, fixture.members[number], changes, &ExpectedVersion::Any).await.unwrap();
                tx.commit().await.unwrap();
            }
            for (actor, attempt) in attempts {
                let (actor, before) = (fixture.members[actor], fixture.permission_sets().await);
                // Suspended members have no permissions.
                let Some(held) = before.get(&actor).copied() else { continue };
                let context = format!("{actor} holding {held:?}: {attempt:?}");
                if !fixture.attempt(actor, held, attempt).await {
                    assert_eq!(fixture.permission_sets().await, before, "rejected, but it had an effect: {context}");
                }
                for (member, after) in fixture.permission_sets().await {
                    let had = before.get(&member).copied().unwrap_or_default();
                    assert!(had.union(held).contains_all(after), "{member} got {after:?} by {context}");
                }
            }
        });
    }
}

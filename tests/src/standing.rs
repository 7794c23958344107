//! What people are in an organization, put into the database itself: also what no door gives, or gives back.

use uuid::Uuid;

use crate::{Vault, eventually};

impl Vault {
    /// SQL for the id of one new row, which sorts after all that were made before, as those of the program do.
    #[expect(clippy::disallowed_methods, reason = "no transaction's instant is at hand")]
    pub fn fresh_id(&self) -> String {
        self.id(&Uuid::now_v7().to_string())
    }

    /// Waits until no audit event is left to seal: what the logs show changes with it.
    pub async fn sealed(&self) {
        let waits = "SELECT count(*) FROM audit_events WHERE seq IS NULL";
        eventually("all is sealed", async || self.scalar(waits).await == 0).await;
    }

    /// Gives a member exactly this role, in an active organization, whatever happened before.
    pub async fn appoint(&self, slug: &str, email: &str, role: &str) {
        let org = format!("organization_id IN (SELECT id FROM organizations WHERE slug = '{slug}')");
        let his = format!("{org} AND user_id IN (SELECT id FROM users WHERE email = '{email}')");
        let stands = "UPDATE organizations SET deleted_at = NULL, purge_after = NULL WHERE slug";
        self.execute(&format!("{stands} = '{slug}'")).await;
        let active = format!("UPDATE members SET status = 'active', removed_at = NULL WHERE {his}");
        assert_eq!(self.execute(&active).await, 1, "{email} belongs to {slug}");
        let none = "DELETE FROM member_roles WHERE member_id IN (SELECT id FROM members WHERE";
        self.execute(&format!("{none} {his})")).await;
        let held = format!(
            "INSERT INTO member_roles (id, organization_id, member_id, role_id, created_at)
             SELECT {}, m.organization_id, m.id, r.id, m.created_at FROM members m
             JOIN roles r ON r.organization_id = m.organization_id AND r.key = '{role}'
             JOIN organizations o ON o.id = m.organization_id JOIN users u ON u.id = m.user_id
             WHERE o.slug = '{slug}' AND u.email = '{email}'",
            self.fresh_id()
        );
        assert_eq!(self.execute(&held).await, 1, "{held}");
    }

    /// Gives an organization a role of its own, which allows nothing yet.
    pub async fn own_role(&self, slug: &str, key: &str) {
        let role = format!(
            "INSERT INTO roles (id, organization_id, key, name, name_key, description, is_builtin, version,
             created_at, updated_at)
             SELECT {}, id, '{key}', '{key}', '{key}', '', false, 1, created_at, created_at
             FROM organizations WHERE slug = '{slug}'",
            self.fresh_id()
        );
        assert_eq!(self.execute(&role).await, 1, "{role}");
    }

    /// Has a role of an organization's own allow this and nothing else.
    pub async fn allow_only(&self, key: &str, permission: &str) {
        let none = "DELETE FROM role_permissions WHERE role_id IN (SELECT id FROM roles WHERE key";
        self.execute(&format!("{none} = '{key}')")).await;
        let allowed = format!(
            "INSERT INTO role_permissions (id, organization_id, role_id, permission, created_at)
             SELECT {}, organization_id, id, '{permission}', created_at FROM roles WHERE key = '{key}'",
            self.fresh_id()
        );
        assert_eq!(self.execute(&allowed).await, 1, "{allowed}");
    }
}

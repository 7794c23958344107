//! Rows of `credentials`. A hash never leaves this module.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{CredentialId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// One credential of a user.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CredentialId,
    /// The user that it belongs to.
    pub user_id: UserId,
    /// Always `password`.
    pub kind: String,
    /// A PHC string, or bcrypt of an imported account.
    pub secret_hash: String,
    /// When the current password was set.
    pub changed_at: DateTimeUtc,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
    /// When the row last changed, also by a new hash of the same password.
    pub updated_at: DateTimeUtc,
}

// `Debug` omits the hash.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("user_id", &self.user_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "credential";
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
}

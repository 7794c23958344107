//! Rows of `credentials`: proofs of identity. They leave this room only as a yes or no.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{CredentialId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// One way of a person to prove who he is.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CredentialId,
    /// Whose.
    pub user_id: UserId,
    /// `password`.
    pub kind: String,
    /// PHC string.
    pub secret_hash: String,
    /// When it was set.
    pub changed_at: DateTimeUtc,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

// Without the hash.
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

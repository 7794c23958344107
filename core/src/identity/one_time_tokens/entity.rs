//! Rows of `one_time_tokens`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OneTimeTokenId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// A token that was mailed, without the token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_tokens")]
pub struct Model {
    /// Its address; jobs name it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OneTimeTokenId,
    /// Whose account it is about.
    pub user_id: Option<UserId>,
    /// Which mailbox it proves; of an undo, the address that comes back. As it was typed.
    pub email: String,
    /// What uniqueness of the address is judged by.
    pub email_canonical: String,
    /// [`Purpose`](super::Purpose), as the table spells it.
    pub purpose: String,
    /// What else it is about.
    pub subject_id: Option<Uuid>,
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// When it was used, or replaced by a newer one.
    pub used_at: Option<DateTimeUtc>,
    /// Worth nothing from then on.
    pub expires_at: DateTimeUtc,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "link";
}

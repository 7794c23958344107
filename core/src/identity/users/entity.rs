//! Rows of `users`. No secret among them: those live in `credentials`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, UserId},
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// The person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// As it was typed.
    pub email: String,
    /// What uniqueness is judged by.
    pub email_canonical: String,
    /// As it was typed.
    pub username: Option<String>,
    /// What uniqueness is judged by. `None` beside a username: it is only wished for, until the address is proved.
    pub username_canonical: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// May the person log in?
    pub is_active: bool,
    /// Is it an operator of the platform?
    pub is_superuser: bool,
    /// When the mailbox was proved.
    pub email_verified_at: Option<DateTimeUtc>,
    /// The language of what is written to the person (BCP 47).
    pub locale: String,
    /// The time zone that times are shown in (IANA).
    pub timezone: String,
    /// `monday`, `saturday` or `sunday`.
    pub week_start: String,
    /// Where the person works unless he says otherwise.
    pub default_organization_id: Option<OrgId>,
    /// When the person last logged in.
    pub last_login_at: Option<DateTimeUtc>,
    /// When what the row says of the person will be removed for good.
    pub purge_after: Option<DateTimeUtc>,
    /// Counts the changes.
    pub version: i64,
    /// When the account was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = Some(Column::DeletedAt);
    const NAME: &'static str = "user";
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = Some(|user| Invalidation::User(user.id));
}

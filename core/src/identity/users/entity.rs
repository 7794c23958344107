//! Rows of `users`. They contain no secrets, which are in `credentials`.

use sea_orm::{ActiveValue, Set, entity::prelude::*};

use crate::{
    base::{
        ids::{OrgId, UserId},
        text,
    },
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, with_computed_columns},
};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// E-mail address, as typed.
    pub email: String,
    /// Canonical form of `email`; unique among accounts that are not deleted.
    pub email_canonical: String,
    /// As typed. `None` if the user chose none.
    pub username: Option<String>,
    /// Canonical form of `username`, for uniqueness. `None` beside a username: it is only requested until the e-mail address
    /// is verified.
    pub username_canonical: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// The e-mail address, the username and the name, each on a line, without case and accents. Computed whenever the row is
    /// written. `None` if only a program of an earlier version wrote it.
    pub search_key: Option<String>,
    /// Whether the user can log in.
    pub is_active: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// When the e-mail address was verified. `None` if it is not.
    pub email_verified_at: Option<DateTimeUtc>,
    /// The language of e-mails to the user (BCP 47).
    pub locale: String,
    /// The time zone for displayed times (IANA).
    pub timezone: String,
    /// `monday`, `saturday` or `sunday`.
    pub week_start: String,
    /// The default organization. `None`: the one with the oldest membership.
    pub default_organization_id: Option<OrgId>,
    /// When the user last logged in. `None` if never.
    pub last_login_at: Option<DateTimeUtc>,
    /// When a deleted account is anonymized. `None` before deletion and after anonymization.
    pub purge_after: Option<DateTimeUtc>,
    /// Incremented by each change.
    pub version: i64,
    /// When the account was deleted. `None` if it is not.
    pub deleted_at: Option<DateTimeUtc>,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

with_computed_columns!(compute_search_key);

impl ActiveModel {
    /// A change of one name contains all names, or none.
    fn compute_search_key(&mut self) {
        if let Some(key) = self.search_key_of_names() {
            self.search_key = Set(Some(key));
        }
    }

    /// `None` if the row contains no names.
    fn search_key_of_names(&self) -> Option<String> {
        let optional = |name: &ActiveValue<Option<String>>| name.try_as_ref().cloned();
        let names = [optional(&self.first_name)?, optional(&self.last_name)?];
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let username = optional(&self.username_canonical)?.unwrap_or_default();
        let lines = [self.email_canonical.try_as_ref()?, &username, &name].map(String::as_str);
        Some(text::search_key(&lines.join("\n")))
    }
}

impl GlobalTable for Entity {
    const DELETED: Option<Column> = Some(Column::DeletedAt);
    const NAME: &'static str = "user";
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = Some(|user| Invalidation::User(user.id));
}

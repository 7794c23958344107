//! The list of accounts for superusers.

use sea_orm::{ColumnTrait, Condition};

use super::{Column, Entity, User};
use crate::{
    Result,
    base::{
        pagination::{Page, PageRequest},
        text::SearchTerm,
    },
    storage::db::{SortKey, Unscoped, contains, contains_term},
};

/// A filter for accounts. `None` means no restriction.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Accounts whose e-mail address, username or name contains the term.
    pub term: Option<SearchTerm>,
    /// Accounts that can log in, or those that cannot.
    pub is_active: Option<bool>,
    /// Superusers, or all other users.
    pub is_superuser: Option<bool>,
    /// Accounts with a verified e-mail address, or those without.
    pub is_verified: Option<bool>,
    /// Deleted accounts that can be restored, instead of accounts that are not deleted.
    pub is_deleted: bool,
}

/// Sort key of the list of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKey {
    /// Creation time.
    CreatedAt,
    /// The e-mail address in its canonical form.
    Email,
    /// Last login; users who never logged in come last.
    LastLoginAt,
}

impl SortKey for UserKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::Email => Column::EmailCanonical,
            Self::LastLoginAt => Column::LastLoginAt,
        }
    }
}

/// Returns one page of the accounts, without anonymized ones.
pub(crate) async fn list(
    tx: &Unscoped,
    filter: UserFilter,
    request: PageRequest<UserKey>,
) -> Result<Page<User>> {
    let deletion_state = match filter.is_deleted {
        false => Column::DeletedAt.is_null(),
        // Anonymized accounts have no `purge_after`.
        true => Column::PurgeAfter.is_not_null(),
    };
    let is_verified = filter.is_verified.map(|is_verified| match is_verified {
        true => Column::EmailVerifiedAt.is_not_null(),
        false => Column::EmailVerifiedAt.is_null(),
    });
    let condition = Condition::all()
        .add(deletion_state)
        .add_option(filter.term.as_ref().map(matches_search))
        .add_option(filter.is_active.map(|is_active| Column::IsActive.eq(is_active)))
        .add_option(filter.is_superuser.map(|is_superuser| Column::IsSuperuser.eq(is_superuser)))
        .add_option(is_verified);
    tx.page(condition, request).await
}

/// Returns the condition for users whose e-mail address, username or name contains the term.
pub(crate) fn matches_search(term: &SearchTerm) -> Condition {
    Condition::any()
        .add(contains_term(Column::SearchKey, term))
        // A program of an earlier version writes no search key.
        .add(contains(Column::EmailCanonical, term.key()))
        .add(contains(Column::UsernameCanonical, term.key()))
}

//! The accounts as operators look for them.

use sea_orm::{ColumnTrait, Condition};

use super::{Column, Entity, User};
use crate::{
    Result,
    base::{
        pagination::{Page, PageRequest},
        text::SearchTerm,
    },
    storage::db::{SortKey, Unscoped, contains},
};

/// Which accounts are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Those whose e-mail address or username contains it.
    pub term: Option<SearchTerm>,
    /// Those that may log in, or may not.
    pub is_active: Option<bool>,
    /// Those of operators of the platform, or of everybody else.
    pub is_superuser: Option<bool>,
    /// Those whose address is verified, or is not.
    pub is_verified: Option<bool>,
    /// Those that are deleted and can be restored, instead of the living.
    pub is_deleted: bool,
}

/// What the list of accounts can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKey {
    /// When it was made.
    CreatedAt,
    /// The e-mail address in its canonical form.
    Email,
    /// When the person last logged in; who never did comes last.
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

/// One page of the accounts; those that are forgotten are in no list.
pub(crate) async fn page(
    tx: &Unscoped,
    filter: UserFilter,
    listing: PageRequest<UserKey>,
) -> Result<Page<User>> {
    let lives = match filter.is_deleted {
        false => Column::DeletedAt.is_null(),
        // It is gone once he is forgotten.
        true => Column::PurgeAfter.is_not_null(),
    };
    let is_verified = filter.is_verified.map(|is_verified| match is_verified {
        true => Column::EmailVerifiedAt.is_not_null(),
        false => Column::EmailVerifiedAt.is_null(),
    });
    let wanted = Condition::all()
        .add(lives)
        .add_option(filter.term.as_ref().map(matches_search))
        .add_option(filter.is_active.map(|is_active| Column::IsActive.eq(is_active)))
        .add_option(filter.is_superuser.map(|is_superuser| Column::IsSuperuser.eq(is_superuser)))
        .add_option(is_verified);
    tx.page(wanted, listing).await
}

/// Those whose address or username contains the term.
pub(crate) fn matches_search(term: &SearchTerm) -> Condition {
    let names = [Column::EmailCanonical, Column::UsernameCanonical];
    names.into_iter().fold(Condition::any(), |any, name| any.add(contains(name, term.key())))
}

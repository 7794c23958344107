//! The organization that is a person's own: where he works before he belongs to any other.

use super::NewOrganization;
use crate::{
    base::{
        crypto::random_word,
        text::{Name, Slug},
    },
    identity::users::User,
};

/// What it is called: by his username or the local part of his address, which six random characters make unique.
pub(crate) fn personal(user: &User) -> NewOrganization {
    let local = user.email.split('@').next().unwrap_or_default();
    let called = user.username.as_deref().unwrap_or(local);
    let named = user.first_name.as_deref().unwrap_or(called);
    // A name as long as a name may be has no room for more.
    let name = Name::parse(&format!("{named}'s")).or_else(|_| Name::parse(named));
    NewOrganization {
        name: name.unwrap_or_else(|_| Name::personal()),
        slug: Slug::from_display_name(called, &random_word(6)),
    }
}

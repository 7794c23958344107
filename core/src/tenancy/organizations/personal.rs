//! The personal organization that a user gets at registration.

use super::NewOrganization;
use crate::{
    base::{
        crypto::random_word,
        text::{Name, Slug},
    },
    identity::users::User,
};

/// Names it after the username or the local part of the e-mail address; six random characters make its slug unique.
pub(crate) fn new_personal(user: &User) -> NewOrganization {
    let local = user.email.split('@').next().unwrap_or_default();
    let handle = user.username.as_deref().unwrap_or(local);
    let owner_name = user.first_name.as_deref().unwrap_or(handle);
    // A name of the maximum length has no room for the suffix.
    let name = Name::parse(&format!("{owner_name}'s")).or_else(|_| Name::parse(owner_name));
    NewOrganization {
        name: name.unwrap_or_else(|_| Name::personal()),
        slug: Slug::from_display_name(handle, &random_word(6)),
    }
}

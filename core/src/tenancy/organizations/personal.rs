//! The personal organization that a user gets at registration.

use super::NewOrganization;
use crate::{
    base::{
        crypto::random_bytes,
        text::{Name, Slug},
    },
    identity::users::User,
};

/// Characters of the random suffix, without similar-looking ones such as `l` and `1`.
const SUFFIX_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Returns the name and the slug of a personal organization. The slug is the username or the local part of the e-mail address,
/// with six random characters to make it unique.
pub(crate) fn new_personal(user: &User) -> NewOrganization {
    let suffix: String =
        random_bytes::<6>().iter().map(|byte| char::from(SUFFIX_ALPHABET[usize::from(byte % 32)])).collect();
    let local = user.email.split('@').next().unwrap_or_default();
    let handle = user.username.as_deref().unwrap_or(local);
    let owner_name = user.first_name.as_deref().unwrap_or(handle);
    // A name of the maximum length has no room for the suffix.
    let name = Name::parse(&format!("{owner_name}'s")).or_else(|_| Name::parse(owner_name));
    NewOrganization {
        name: name.unwrap_or_else(|_| Name::personal()),
        slug: Slug::from_display_name(handle, &suffix),
    }
}

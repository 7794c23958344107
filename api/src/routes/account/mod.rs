//! The signed-in user's own account.

pub(crate) mod context;
pub(crate) mod profile;
pub(crate) mod me;
pub(crate) mod my_organizations;

//! Registration, login and e-mailed links.

pub(crate) mod registration;
pub(crate) mod auth_config;
pub(crate) mod email_links;
pub(crate) mod sessions;

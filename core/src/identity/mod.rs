//! Users, passwords, sessions and e-mailed tokens.

pub mod users;
pub mod credentials;
pub mod sessions;
pub mod one_time_tokens;

//! Who somebody is: accounts, passwords, sessions and mailed tokens.

pub mod users;
pub mod credentials;
pub mod sessions;
pub mod one_time_tokens;

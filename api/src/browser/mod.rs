//! Browser security: cookies, allowed origins and the content security policy.

pub mod cookies;
pub mod origins;
pub mod csp;

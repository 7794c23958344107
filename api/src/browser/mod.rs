//! What browsers get: cookies, allowed origins, the content security policy, and the look of the product.

pub mod cookies;
pub mod origins;
pub mod csp;
pub mod branding;

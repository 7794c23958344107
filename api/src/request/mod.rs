//! What a request says of itself and of its client: its id, its trace id and its IP address.

pub(crate) mod client_ip;
pub mod id;

//! Properties of a request: its id, its trace id and the IP address of its client.

pub(crate) mod client_ip;
pub mod id;

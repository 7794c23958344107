//! Organizations, who belongs to them, and what each member may do.

pub mod organizations;
pub mod roles;
pub mod members;
pub mod authorization;
pub mod invitations;
pub mod transfers;
pub mod settings;

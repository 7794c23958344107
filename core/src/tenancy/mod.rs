//! Organizations, their members, roles and invitations, and authorization.

pub mod organizations;
pub mod roles;
pub mod members;
pub mod authorization;
pub mod invitations;
pub mod transfers;
pub mod settings;

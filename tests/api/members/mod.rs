//! Members, their roles and permissions, and the invitations that make them members.

mod bulk_invitations;
mod escalation;
mod invitation_limits;
mod invitation_races;
mod invitation_responses;
mod invitations;
pub(crate) mod membership;
mod offboarding;
mod permissions;
mod role_matrix;
mod roles;

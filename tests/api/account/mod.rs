//! What users change of their own account, and how an account is deleted.

mod context;
mod deletion;
mod email_change;
mod password_change;
mod personal_organizations;
mod profile;
mod received_invitations;

//! Operations that span several of the folders above: accounts and organizations from creation to purge, the content of
//! e-mails, periodic tasks.

pub mod accounts;
pub mod load_data;
pub mod organization_lifecycle;
pub mod email_links;
pub mod email_content;
pub mod maintenance;
pub mod user_context;
pub mod search;

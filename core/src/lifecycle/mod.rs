//! What spans several of the folders above: accounts and organizations from beginning to end, the content of e-mails, periodic work.

pub mod accounts;
pub mod load_data;
pub mod organization_lifecycle;
pub mod email_links;
pub mod email_content;
pub mod maintenance;

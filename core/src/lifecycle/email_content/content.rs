//! The data of an e-mail, before a template renders it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    base::{crypto::Secret, text::without_links},
    storage::outbox::Job,
};

macro_rules! templates { ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
    /// The template of an e-mail.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Template { $($(#[$doc])* $name),+ }

    impl Template {
        /// All templates.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// The name of its files, and its name in the list of e-mails.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }
    }
}}

templates! {
    /// The link that verifies an e-mail address.
    Verify = "verify",
    /// A welcome to a new user.
    Welcome = "welcome",
    /// A login on a device that was not used before.
    NewDevice = "new_device",
    /// An old refresh token was used, so the session ended.
    RefreshReuse = "refresh_reuse",
    /// A registration with an e-mail address that already has an account.
    AlreadyRegistered = "already_registered",
    /// The link that sets a new password.
    Reset = "reset",
    /// The password was changed.
    PasswordChanged = "password_changed",
    /// The link that confirms a new e-mail address.
    EmailChange = "email_change",
    /// To the old e-mail address: the announced change, with the link that undoes it.
    EmailChangeNotice = "email_change_notice",
    /// The account was deleted.
    AccountDeleted = "account_deleted",
    /// The link that accepts an invitation.
    Invitation = "invitation",
    /// An organization is offered to a member.
    OwnershipOffered = "ownership_offered",
    /// A test e-mail of an operator.
    Test = "test",
}

impl Template {
    /// The template of a job's e-mail.
    pub const fn of(job: &Job) -> Self {
        match job {
            Job::SendWelcome { .. } => Self::Welcome,
            Job::SendNewDevice { .. } => Self::NewDevice,
            Job::SendRefreshReuse { .. } => Self::RefreshReuse,
            Job::SendVerification { .. } => Self::Verify,
            Job::SendAlreadyRegistered { .. } => Self::AlreadyRegistered,
            Job::SendPasswordReset { .. } => Self::Reset,
            Job::SendPasswordChanged { .. } => Self::PasswordChanged,
            Job::SendAccountDeleted { .. } => Self::AccountDeleted,
            Job::SendEmailChange { .. } => Self::EmailChange,
            Job::SendEmailChangeNotice { .. } => Self::EmailChangeNotice,
            Job::SendInvitation { .. } => Self::Invitation,
            Job::SendOwnershipOffered { .. } => Self::OwnershipOffered,
        }
    }
}

/// The result of composing an e-mail.
pub enum Composition {
    /// The e-mail to send.
    Send(EmailContent),
    /// The e-mail is no longer needed, now or later.
    Skip {
        /// E-mail address; empty if no recipient is left.
        to: String,
        /// For operators.
        reason: &'static str,
    },
}

/// The data of an e-mail. Without `Debug`, because it contains a link with a token.
pub struct EmailContent {
    /// E-mail address: the local part as entered, the domain in ASCII.
    pub to: String,
    /// The template that renders it.
    pub template: Template,
    /// A BCP 47 language tag.
    pub locale: String,
    /// Name of the recipient; `None` unless the e-mail address is verified. Otherwise a registration with the e-mail
    /// address of another person could send them any text.
    pub name: Option<String>,
    /// The link to follow.
    pub link: Option<Link>,
    /// The device of the login.
    pub device: Option<EmailDevice>,
    /// When a deleted account is purged, or an offer expires.
    pub until: Option<DateTime<Utc>>,
    /// Names in an invitation or an offer.
    pub invitation: Option<Box<InvitationNames>>,
}

/// The names in an invitation. Recipients may know neither, so the names contain no links.
pub struct InvitationNames {
    organization: String,
    inviter: String,
}

impl InvitationNames {
    /// Removes links from both names.
    pub fn new(organization: &str, inviter: &str) -> Self {
        Self { organization: without_links(organization), inviter: without_links(inviter) }
    }

    /// The name of the organization.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// The name of the member who invites.
    pub fn inviter(&self) -> &str {
        &self.inviter
    }
}

/// A link with a token.
pub struct Link {
    /// The URL, with the token in the fragment.
    pub url: Secret<String>,
    /// Lifetime of the token from its creation.
    pub lifetime: Duration,
    /// When the invitation expires.
    pub expires_at: DateTime<Utc>,
}

/// The device of a login.
pub struct EmailDevice {
    /// Name of the device, or its user agent.
    pub name: Option<String>,
    /// IP address.
    pub ip: Option<String>,
    /// Time of the login.
    pub at: DateTime<Utc>,
}

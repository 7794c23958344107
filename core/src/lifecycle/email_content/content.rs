//! What a mail says, before it is put into words.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    base::{crypto::Secret, text::without_links},
    storage::outbox::Job,
};

macro_rules! templates { ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
    /// Which words a mail is put into.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Template { $($(#[$doc])* $name),+ }

    impl Template {
        /// Every one.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// As its files are named, and as the list of mails shows it.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }
    }
}}

templates! {
    /// The link that verifies an address.
    Verify = "verify",
    /// A greeting to a new user.
    Welcome = "welcome",
    /// Somebody logged in on a device that was not used before.
    NewDevice = "new_device",
    /// Somebody used an old refresh token; the session was ended.
    RefreshReuse = "refresh_reuse",
    /// Somebody wanted to register an address that has an account.
    AlreadyRegistered = "already_registered",
    /// The link that sets a new password.
    Reset = "reset",
    /// The password was changed.
    PasswordChanged = "password_changed",
    /// The link that confirms a new address.
    EmailChange = "email_change",
    /// To the old address: it is about to change, with the link that undoes it.
    EmailChangeNotice = "email_change_notice",
    /// The account was deleted.
    AccountDeleted = "account_deleted",
    /// The link that takes somebody into an organization.
    Invitation = "invitation",
    /// An organization is offered to a member.
    OwnershipOffered = "ownership_offered",
    /// An operator tries whether mails arrive.
    Test = "test",
}

impl Template {
    /// That of a job's mail.
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

/// What came of looking up what a mail says.
pub enum Composed {
    /// It is to be sent.
    Send(EmailContent),
    /// It is not to be sent, now or later.
    Skip {
        /// The mailbox; empty where nobody is left.
        to: String,
        /// Why, in words for operators.
        reason: &'static str,
    },
}

/// What a mail says. No `Debug`: its link acts.
pub struct EmailContent {
    /// The mailbox: the local part as it was typed, the domain as DNS has it.
    pub to: String,
    /// Which words.
    pub template: Template,
    /// In which language (BCP 47).
    pub locale: String,
    /// What the person is called; `None` unless the mailbox was proved to be his. Whoever registers with somebody else's
    /// address would otherwise have words of his sent there.
    pub name: Option<String>,
    /// What it asks its reader to follow.
    pub link: Option<Link>,
    /// The log-in it tells of.
    pub device: Option<Device>,
    /// Until when a deleted account can be brought back, or an offer accepted.
    pub until: Option<DateTime<Utc>>,
    /// Who invites whom into what.
    pub invitation: Option<Box<InvitationNames>>,
}

/// What an invitation tells. Whoever gets it need not know either, so that their names carry no links.
pub struct InvitationNames {
    organization: String,
    inviter: String,
}

impl InvitationNames {
    /// Into what, and by whom, as they are called.
    pub fn new(organization: &str, inviter: &str) -> Self {
        Self { organization: without_links(organization), inviter: without_links(inviter) }
    }

    /// What the organization is called.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// What the person who invites is called.
    pub fn inviter(&self) -> &str {
        &self.inviter
    }
}

/// A link that acts.
pub struct Link {
    /// Its address, with the token in the fragment.
    pub url: Secret<String>,
    /// How long it was good when it was made.
    pub lifetime: Duration,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// Where somebody logged in.
pub struct Device {
    /// What he calls it, or what it calls itself.
    pub name: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// When he did.
    pub at: DateTime<Utc>,
}

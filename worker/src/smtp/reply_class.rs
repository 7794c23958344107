//! What an answer of a mail server means: is the mail lost, or only late?

use insula_core::storage::emails::Status;

/// How far a mail came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The name of the server was looked up.
    Resolve,
    /// A connection was opened, and the server greeted.
    Connect,
    /// TLS began.
    Tls,
    /// User and password were told.
    LogIn,
    /// Our address was told.
    Sender,
    /// The recipient's address was told.
    Recipient,
    /// The mail itself was handed over.
    Content,
}

/// Why a mail was not taken.
#[derive(Debug)]
pub(crate) struct DeliveryFailure {
    /// What was being done.
    pub(crate) stage: Stage,
    /// Is it tried again?
    pub(crate) status: Status,
    /// One line, for operators.
    pub(crate) text: String,
    /// Was the server to be had at all?
    pub(crate) reached: Reached,
}

/// Does a refusal say something about the server, whatever mail was brought?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It can be used: it said no to this mail.
    Yes,
    /// It cannot be used: no other mail would have come further.
    No,
    /// It was not asked.
    NotTried,
}

/// Whether the server can be used, by how far a mail came and the code of the answer (`None`: there was no answer).
///
/// Until the recipient is told, all mails are alike. Of our address it may say no for long, and that costs attempts; not
/// so when it closes (421, RFC 5321 §3.8) or says nothing.
pub(super) fn reached(stage: Stage, code: Option<u16>) -> Reached {
    match (stage, code) {
        (Stage::Resolve | Stage::Connect | Stage::Tls | Stage::LogIn, _)
        | (Stage::Sender, None | Some(421)) => Reached::No,
        (Stage::Sender | Stage::Recipient | Stage::Content, _) => Reached::Yes,
    }
}

/// What the code of an answer means for the mail; `None`: there was no answer.
///
/// Only a no to this recipient or to this mail is final. Whatever may be about us (who we are, how we log in, whether we may
/// send there) is an operator's to repair, and until he has, no mail may be lost.
pub(super) fn verdict(stage: Stage, code: Option<u16>, text: &str) -> Status {
    let is_about_us = match code {
        // RFC 4954 §6: log in first, or otherwise; RFC 5321 §4.2.2: commands out of turn or not known.
        Some(500 | 502..=504 | 530 | 534 | 535 | 538) => true,
        _ => match stage {
            Stage::Recipient => {
                // RFC 3463 §3.8: not the mailbox but our right to write to it; old servers say it in words alone.
                let text = text.to_ascii_lowercase();
                text.contains("5.7.") || text.contains("relay")
            }
            Stage::Content => false,
            Stage::Resolve | Stage::Connect | Stage::Tls | Stage::LogIn | Stage::Sender => true,
        },
    };
    match code {
        Some(500..=599) if !is_about_us => Status::Bounced,
        _ => Status::Deferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_told_no_recipient_is_away_unless_it_said_why() {
        use Stage::{Connect, Content, LogIn, Recipient, Resolve, Sender, Tls};
        for (stage, code, expected) in [
            (Resolve, None, Reached::No),
            (Connect, None, Reached::No),
            (Connect, Some(421), Reached::No),
            (Connect, Some(554), Reached::No),
            (Tls, Some(454), Reached::No),
            (LogIn, Some(535), Reached::No),
            (Sender, None, Reached::No),
            (Sender, Some(421), Reached::No),
            (Sender, Some(451), Reached::Yes),
            (Recipient, None, Reached::Yes),
            (Recipient, Some(421), Reached::Yes),
            (Recipient, Some(450), Reached::Yes),
            (Content, None, Reached::Yes),
            (Content, Some(421), Reached::Yes),
        ] {
            assert_eq!(reached(stage, code), expected, "{stage:?} {code:?}");
        }
    }

    #[test]
    fn only_a_no_to_this_recipient_or_this_mail_is_final() {
        use Stage::{Connect, Content, LogIn, Recipient, Resolve, Sender, Tls};
        for (stage, code, text, status) in [
            (Resolve, None, "", Status::Deferred),
            (Connect, None, "refused", Status::Deferred),
            (Connect, Some(421), "busy", Status::Deferred),
            (Connect, Some(521), "no mail here", Status::Deferred),
            (Connect, Some(554), "go away", Status::Deferred),
            (Tls, Some(501), "", Status::Deferred),
            (LogIn, Some(534), "", Status::Deferred),
            (LogIn, Some(535), "5.7.8 wrong password", Status::Deferred),
            (Sender, Some(530), "5.7.0 log in first", Status::Deferred),
            (Sender, Some(550), "5.1.8 no such sender", Status::Deferred),
            (Sender, Some(553), "not yours", Status::Deferred),
            (Recipient, None, "cut", Status::Deferred),
            (Recipient, Some(450), "4.2.1 greylisted", Status::Deferred),
            (Recipient, Some(503), "out of turn", Status::Deferred),
            (Recipient, Some(530), "log in first", Status::Deferred),
            (Recipient, Some(550), "5.1.1 no such user", Status::Bounced),
            (Recipient, Some(550), "no such user", Status::Bounced),
            (Recipient, Some(552), "5.2.2 mailbox full", Status::Bounced),
            (Recipient, Some(501), "5.1.3 bad address", Status::Bounced),
            (Recipient, Some(554), "5.7.1 Relay access denied", Status::Deferred),
            (Recipient, Some(550), "Relaying is not allowed", Status::Deferred),
            (Content, None, "cut", Status::Deferred),
            (Content, Some(354), "go on", Status::Deferred),
            (Content, Some(451), "", Status::Deferred),
            (Content, Some(552), "too large", Status::Bounced),
            (Content, Some(554), "5.7.1 spam", Status::Bounced),
        ] {
            assert_eq!(verdict(stage, code, text), status, "{stage:?} {code:?} {text}");
        }
    }
}

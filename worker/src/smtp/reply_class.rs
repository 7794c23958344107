//! Classifies the replies of a mail server: temporary or permanent failure.

use insula_core::storage::emails::DeliveryStatus;

/// A step of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// DNS lookup of the server.
    Resolve,
    /// TCP connection and greeting.
    Connect,
    /// TLS handshake.
    Tls,
    /// Login.
    LogIn,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA and the content.
    Content,
}

/// Why a delivery failed.
#[derive(Debug)]
pub(crate) struct DeliveryFailure {
    /// The failed step.
    pub(crate) stage: Stage,
    /// `Deferred`: it is tried again; `Bounced`: it is not.
    pub(crate) status: DeliveryStatus,
    /// One line for operators.
    pub(crate) text: String,
    /// Whether the server can be used.
    pub(crate) reached: ServerState,
}

/// What a failure says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// The server works and rejected this e-mail.
    Yes,
    /// The server cannot be used for any e-mail.
    No,
    /// The server was not contacted.
    NotTried,
}

/// Whether the server can be used, from the failed step and the code of the reply (`None`: no reply).
///
/// Before the recipient, all e-mails are alike. A server can reject the sender for a long time, which uses attempts. A
/// closing server (421, RFC 5321 §3.8) or one without a reply uses none.
pub(super) fn reached(stage: Stage, code: Option<u16>) -> ServerState {
    match (stage, code) {
        (Stage::Resolve | Stage::Connect | Stage::Tls | Stage::LogIn, _)
        | (Stage::Sender, None | Some(421)) => ServerState::No,
        (Stage::Sender | Stage::Recipient | Stage::Content, _) => ServerState::Yes,
    }
}

/// The status of an e-mail after a reply with this code; `None`: no reply.
///
/// Only a rejection of this recipient or this content is permanent. An operator can correct everything about the sender
/// (identity, login, permission to relay), and until then no e-mail may be lost.
pub(super) fn delivery_status(stage: Stage, code: Option<u16>, text: &str) -> DeliveryStatus {
    let is_about_us = match code {
        // RFC 4954 §6: login required or failed; RFC 5321 §4.2.2: wrong order of commands, or unknown command.
        Some(500 | 502..=504 | 530 | 534 | 535 | 538) => true,
        _ => match stage {
            Stage::Recipient => {
                // RFC 3463 §3.8: not the recipient, but the permission to send to it. Old servers report this only in
                // words.
                let text = text.to_ascii_lowercase();
                text.contains("5.7.") || text.contains("relay")
            }
            Stage::Content => false,
            Stage::Resolve | Stage::Connect | Stage::Tls | Stage::LogIn | Stage::Sender => true,
        },
    };
    match code {
        Some(500..=599) if !is_about_us => DeliveryStatus::Bounced,
        _ => DeliveryStatus::Deferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_before_the_recipient_cannot_be_used() {
        use Stage::{Connect, Content, LogIn, Recipient, Resolve, Sender, Tls};
        for (stage, code, expected) in [
            (Resolve, None, ServerState::No),
            (Connect, None, ServerState::No),
            (Connect, Some(421), ServerState::No),
            (Connect, Some(554), ServerState::No),
            (Tls, Some(454), ServerState::No),
            (LogIn, Some(535), ServerState::No),
            (Sender, None, ServerState::No),
            (Sender, Some(421), ServerState::No),
            (Sender, Some(451), ServerState::Yes),
            (Recipient, None, ServerState::Yes),
            (Recipient, Some(421), ServerState::Yes),
            (Recipient, Some(450), ServerState::Yes),
            (Content, None, ServerState::Yes),
            (Content, Some(421), ServerState::Yes),
        ] {
            assert_eq!(reached(stage, code), expected, "{stage:?} {code:?}");
        }
    }

    #[test]
    fn only_a_rejection_of_recipient_or_content_is_permanent() {
        use Stage::{Connect, Content, LogIn, Recipient, Resolve, Sender, Tls};
        for (stage, code, text, status) in [
            (Resolve, None, "", DeliveryStatus::Deferred),
            (Connect, None, "refused", DeliveryStatus::Deferred),
            (Connect, Some(421), "busy", DeliveryStatus::Deferred),
            (Connect, Some(521), "no mail here", DeliveryStatus::Deferred),
            (Connect, Some(554), "go away", DeliveryStatus::Deferred),
            (Tls, Some(501), "", DeliveryStatus::Deferred),
            (LogIn, Some(534), "", DeliveryStatus::Deferred),
            (LogIn, Some(535), "5.7.8 wrong password", DeliveryStatus::Deferred),
            (Sender, Some(530), "5.7.0 log in first", DeliveryStatus::Deferred),
            (Sender, Some(550), "5.1.8 no such sender", DeliveryStatus::Deferred),
            (Sender, Some(553), "not yours", DeliveryStatus::Deferred),
            (Recipient, None, "cut", DeliveryStatus::Deferred),
            (Recipient, Some(450), "4.2.1 greylisted", DeliveryStatus::Deferred),
            (Recipient, Some(503), "out of turn", DeliveryStatus::Deferred),
            (Recipient, Some(530), "log in first", DeliveryStatus::Deferred),
            (Recipient, Some(550), "5.1.1 no such user", DeliveryStatus::Bounced),
            (Recipient, Some(550), "no such user", DeliveryStatus::Bounced),
            (Recipient, Some(552), "5.2.2 mailbox full", DeliveryStatus::Bounced),
            (Recipient, Some(501), "5.1.3 bad address", DeliveryStatus::Bounced),
            (Recipient, Some(554), "5.7.1 Relay access denied", DeliveryStatus::Deferred),
            (Recipient, Some(550), "Relaying is not allowed", DeliveryStatus::Deferred),
            (Content, None, "cut", DeliveryStatus::Deferred),
            (Content, Some(354), "go on", DeliveryStatus::Deferred),
            (Content, Some(451), "", DeliveryStatus::Deferred),
            (Content, Some(552), "too large", DeliveryStatus::Bounced),
            (Content, Some(554), "5.7.1 spam", DeliveryStatus::Bounced),
        ] {
            assert_eq!(delivery_status(stage, code, text), status, "{stage:?} {code:?} {text}");
        }
    }
}

//! What an operator is told of a mail that did not arrive.

use crate::smtp::Stage;

/// Why a mail that was sent by hand did not arrive, and what to look at.
#[derive(Debug)]
pub struct TestEmailError {
    /// What went wrong; one line.
    pub what: String,
    /// What to do next; one line.
    pub hint: &'static str,
    /// Does the configuration send no mail at all?
    pub is_nowhere: bool,
}

/// What to look at when a mail came no further than `stage`.
pub(super) const fn hint(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "no such host: look at the name in INSULA_SMTP_URL, and at the DNS of this machine",
        Stage::Connect => {
            "look at host and port in INSULA_SMTP_URL, at firewalls, and whether the server runs"
        }
        Stage::Tls => {
            "look whether the port speaks TLS (smtps:// is usually 465, smtp:// 587), and whether the certificate is for \
             this host and not expired; a company's own authority is named by INSULA_CA_FILE; `?tls=none` asks for none"
        }
        Stage::LogIn => {
            "look at user and password in INSULA_SMTP_URL; special characters are percent-encoded"
        }
        Stage::Sender => {
            "the server does not accept our address: look at INSULA_MAIL_FROM, and whether it wants a log-in"
        }
        Stage::Recipient => "look at the recipient's address, and whether the server may relay for you",
        Stage::Content => {
            "the server did not take the mail itself: look at its log; of a folder, at its space and rights"
        }
    }
}

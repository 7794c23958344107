//! Errors of test e-mails, with hints for operators.

use insula_core::base::text::error_line;

use super::{Mailer, Transport};
use crate::smtp::Stage;

/// Why a test e-mail could not be sent, and what to check.
#[derive(Debug)]
pub struct TestEmailError {
    /// One line.
    pub what: String,
    /// One line.
    pub hint: &'static str,
    /// Whether no transport is configured.
    pub is_not_configured: bool,
}

impl Mailer {
    /// Connects to the mail server and logs in, without sending an e-mail. Returns what was found, such as the
    /// capabilities of the server.
    ///
    /// # Errors
    /// What failed, and what to check.
    pub async fn check(&self) -> Result<String, TestEmailError> {
        match &self.0.transport {
            Transport::Smtp(smtp) => {
                let server = smtp.check(&|_| {}).await.map_err(|refused| TestEmailError {
                    what: error_line(&refused.text),
                    hint: hint(refused.stage),
                    is_not_configured: false,
                })?;
                Ok(format!("{}; it answers as {server}", smtp.describe()))
            }
            Transport::Folder(folder) => Ok(format!("e-mails are written to {}", folder.describe())),
            Transport::Memory(_) | Transport::Disabled => Err(TestEmailError {
                what: "no e-mail is configured".into(),
                hint: "set INSULA_SMTP_URL, or INSULA_MAIL_FOLDER to write files",
                is_not_configured: true,
            }),
        }
    }
}

/// What to check if sending failed at `stage`.
pub(super) const fn hint(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => {
            "host not found: check the host name in INSULA_SMTP_URL, and the DNS settings of this machine"
        }
        Stage::Connect => {
            "check host and port in INSULA_SMTP_URL, firewalls, and whether the server is running"
        }
        Stage::Tls => {
            "check whether the port uses TLS (usually 465 for smtps://, 587 for smtp://), and whether the certificate is for this host and has not expired; for your own certificate authority, set INSULA_CA_FILE; `?tls=none` disables TLS"
        }
        Stage::LogIn => {
            "check user and password in INSULA_SMTP_URL; special characters must be percent-encoded"
        }
        Stage::Sender => {
            "the server does not accept the sender: check INSULA_MAIL_FROM, and whether the server needs a user and password"
        }
        Stage::Recipient => {
            "check the e-mail address of the recipient, and whether the server relays e-mails for you"
        }
        Stage::Content => {
            "the server did not accept the e-mail: check its log; for a folder, check its free space and permissions"
        }
    }
}

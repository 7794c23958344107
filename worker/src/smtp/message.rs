//! One e-mail in its transport format (RFC 5322).

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use email_encoding::headers::{rfc2047, writer::EmailWriter};
use insula_core::base::trace_context::TraceContext;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

/// The text of an e-mail.
#[derive(Clone)]
pub(crate) struct RenderedEmail {
    /// One line.
    pub(crate) subject: String,
    /// The plain text part.
    pub(crate) text: String,
    /// The HTML part, a complete document.
    pub(crate) html: String,
}

/// The sender of e-mails.
#[derive(Clone)]
pub(crate) struct Sender(Mailbox);

impl Sender {
    /// Parses `Acme <hello@acme.example>` or `hello@acme.example`.
    ///
    /// # Errors
    /// The expected format.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "expected an address such as Acme <hello@acme.example>";
        let mailbox: Mailbox = text.trim().parse().map_err(|_| expected)?;
        let is_one_line = !text.chars().any(char::is_control);
        let address: &str = mailbox.email.as_ref();
        let is_valid = is_one_line && address.is_ascii();
        is_valid.then_some(Self(mailbox)).ok_or(expected)
    }

    /// The sender with a display name of any characters.
    ///
    /// # Errors
    /// If `address` is not an e-mail address.
    pub(crate) fn named(name: &str, address: &str) -> Result<Self, &'static str> {
        let address = address.parse().map_err(|_| "expected an e-mail address")?;
        Ok(Self(Mailbox::new(Some(name.to_owned()), address)))
    }

    pub(super) fn address(&self) -> &Address {
        &self.0.email
    }
}

/// An e-mail that is ready to send.
pub(crate) struct EncodedEmail {
    pub(super) from: Address,
    pub(super) to: Address,
    /// Headers and body.
    pub(crate) bytes: Vec<u8>,
}

/// Encodes an e-mail with a text part and an HTML part. Its headers prevent automatic replies (RFC 3834 §5) and name the
/// trace of the request that caused it.
///
/// # Errors
/// If `to` is not an e-mail address.
pub(crate) fn encode(
    from: &Sender,
    to: &str,
    text: &RenderedEmail,
    message_id: &str,
    trace: &TraceContext,
    at: DateTime<Utc>,
) -> Result<EncodedEmail, String> {
    let to: Address = to.parse().map_err(|error| format!("invalid e-mail address: {error}"))?;
    let header = |name, value: &str| HeaderValue::new(name, value.to_owned());
    let message = Message::builder()
        .from(from.0.clone())
        .to(Mailbox::new(None, to.clone()))
        .raw_header(subject(&text.subject)?)
        .date(SystemTime::from(at))
        .message_id(Some(message_id.to_owned()))
        .raw_header(header(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"))
        .raw_header(header(HeaderName::new_from_ascii_str("X-Auto-Response-Suppress"), "All"))
        .raw_header(header(HeaderName::new_from_ascii_str("Traceparent"), &trace.to_string()))
        .multipart(MultiPart::alternative_plain_html(text.text.clone(), text.html.clone()))
        .map_err(|error| format!("cannot build the e-mail: {error}"))?;
    Ok(EncodedEmail { from: from.address().clone(), to, bytes: message.formatted() })
}

/// The subject. If it contains text that looks like an encoded word, all of it is encoded. Mail programs decode once
/// (RFC 2047, section 5), so a name such as `=?utf-8?B?…?=` is shown as entered.
fn subject(text: &str) -> Result<HeaderValue, String> {
    let name = HeaderName::new_from_ascii_str("Subject");
    if !text.contains("=?") {
        return Ok(HeaderValue::new(name, text.to_owned()));
    }
    let mut encoded = String::new();
    let mut writer = EmailWriter::new(&mut encoded, "Subject: ".len(), 0, false);
    rfc2047::encode(text, &mut writer).map_err(|error| format!("the subject cannot be encoded: {error}"))?;
    drop(writer);
    Ok(HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), encoded))
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    #[test]
    fn a_subject_is_shown_as_entered() {
        let long = format!("Join {} =?utf-8?Q?now?=", "Ada's 日本 ".repeat(12));
        for subject in
            ["Join Acme", "Join =?utf-8?B?RXZpbA==?= today", "=?utf-8?Q?=41?=", "Zoë's =? question", &long]
        {
            let text =
                RenderedEmail { subject: subject.to_owned(), text: "text".into(), html: "<p>html".into() };
            let trace = TraceContext::random();
            let from = Sender::parse("Insula <no-reply@insula.example>").unwrap();
            let email =
                encode(&from, "ada@example.com", &text, "<1@insula.example>", &trace, DateTime::UNIX_EPOCH)
                    .unwrap();
            let read = MessageParser::default().parse(&email.bytes).unwrap();
            assert_eq!(read.subject(), Some(subject.trim()), "{}", String::from_utf8_lossy(&email.bytes));
        }
    }
}

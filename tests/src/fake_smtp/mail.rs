//! A received e-mail.

use mail_parser::{Message, MessageParser, PartType};

/// An e-mail as its recipient reads it: decoded (RFC 2047, quoted-printable, base64).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// The kind of its job, such as `send_verification`. Only [`crate::Inbox`] sets it.
    pub kind: String,
    /// The sender of the envelope; empty for a bounce.
    pub from: String,
    /// The recipient of the envelope.
    pub to: String,
    /// The decoded subject.
    pub subject: String,
    /// The Message-ID, without the angle brackets.
    pub message_id: String,
    /// The token after `#token=` or `#undo=` in the link of its text; empty without a link.
    pub token: String,
    /// The plain-text part; empty without one.
    pub text: String,
    /// The HTML part; empty without one.
    pub html: String,
    /// The whole source.
    pub source: String,
}

impl Mail {
    /// Parses a message. An invalid one has only its envelope.
    pub(super) fn parse(from: &str, to: &str, data: &[u8]) -> Self {
        let source = String::from_utf8_lossy(data).into_owned();
        let envelope = Self { from: from.to_owned(), to: to.to_owned(), source, ..Self::default() };
        let Some(message) = MessageParser::default().parse(data) else { return envelope };
        let text = part(&message, false);
        Self {
            subject: message.subject().unwrap_or_default().to_owned(),
            message_id: message.message_id().unwrap_or_default().to_owned(),
            token: token(&text),
            html: part(&message, true),
            text,
            ..envelope
        }
    }

    /// The URLs in its text, in order.
    pub fn links(&self) -> Vec<&str> {
        let words = self.text.split(|c: char| c.is_whitespace() || "<>\"()".contains(c));
        words.filter(|word| word.starts_with("http://") || word.starts_with("https://")).collect()
    }

    /// The line of [`super::FakeSmtp::appending_to`]. `at`: microseconds since 1970.
    pub(super) fn line(&self, is_acknowledged: bool, at: i64) -> String {
        let subject = self.subject.replace(|c: char| c.is_control(), " ");
        let note = if is_acknowledged { "" } else { "cut" };
        format!("{}\t{}\t{subject}\t{note}\t{at}\n", self.message_id, self.to)
    }
}

/// The first part of this type. The parser's own function would convert one into the other.
fn part(message: &Message<'_>, html: bool) -> String {
    let found = message.parts.iter().find_map(|part| match &part.body {
        PartType::Text(text) if !html => Some(text),
        PartType::Html(text) if html => Some(text),
        _ => None,
    });
    found.map(|text| text.replace("\r\n", "\n")).unwrap_or_default()
}

fn token(text: &str) -> String {
    let mark = ["#token=", "#undo="].into_iter().find_map(|mark| Some((text.find(mark)?, mark.len())));
    let Some((start, length)) = mark else { return String::new() };
    let is_part = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    text[start + length..].chars().take_while(is_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A typical e-mail: encoded words, one part of each kind, soft line breaks in the middle of a link.
    const MAIL: &str = "From: Insula <insula@localhost>\r\n\
        To: ada@example.com\r\n\
        Subject: =?utf-8?b?QmVzdMOkdGlnZSBkZWluZQ==?= =?utf-8?q?_Adresse?=\r\n\
        Message-ID: <0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091@localhost>\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=\"x\"\r\n\
        \r\n\
        --x\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\
        \r\n\
        Gr=C3=BC=C3=9Fe! Open http://localhost:8080/verify#token=3DAb-_9=\r\n\
        cd\r\n\
        and be done.\r\n\
        --x\r\n\
        Content-Type: text/html; charset=utf-8\r\n\
        Content-Transfer-Encoding: base64\r\n\
        \r\n\
        PHA+R3LDvMOfZSE8L3A+\r\n\
        --x--\r\n";

    #[test]
    fn an_email_is_decoded_for_its_recipient() {
        let mail = Mail::parse("insula@localhost", "ada@example.com", MAIL.as_bytes());
        assert_eq!(mail.subject, "Bestätige deine Adresse");
        assert_eq!(mail.message_id, "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091@localhost");
        assert_eq!(mail.token, "Ab-_9cd");
        assert_eq!(mail.text, "Grüße! Open http://localhost:8080/verify#token=Ab-_9cd\nand be done.");
        assert_eq!(mail.links(), ["http://localhost:8080/verify#token=Ab-_9cd"]);
        assert_eq!(mail.html, "<p>Grüße!</p>");
        let line = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091@localhost\tada@example.com\tBestätige deine Adresse\tcut\t7\n";
        assert_eq!(mail.line(false, 7), line);
    }

    #[test]
    fn plain_text_has_no_html_and_an_invalid_email_has_its_envelope() {
        let plain = Mail::parse("a@b", "c@d", b"Subject: x\r\n\r\nhello\r\n");
        assert_eq!((&*plain.subject, &*plain.text, &*plain.html, &*plain.token), ("x", "hello\n", "", ""));
        let nothing = Mail::parse("a@b", "c@d", b"");
        assert_eq!((&*nothing.from, &*nothing.to, &*nothing.message_id), ("a@b", "c@d", ""));
    }
}

//! E-mails in memory, for development without a mail server.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{base::ids::JobId, runtime::config::Config};

/// Maximum number of e-mails; older ones are removed.
const MAX_EMAILS: usize = 200;

/// An e-mail as its recipient sees it. It has no `Debug`, because it contains links with tokens.
#[derive(Clone)]
pub struct CapturedEmail {
    /// Id of the e-mail and of its job.
    pub id: JobId,
    /// E-mail address of the recipient.
    pub to: String,
    /// Subject, one line.
    pub subject: String,
    /// The plain-text part.
    pub text: String,
    /// The HTML part, a complete document.
    pub html: String,
    /// `Message-ID`, with its angle brackets.
    pub message_id: String,
    /// When it was captured.
    pub sent_at: DateTime<Utc>,
}

/// The newest 200 e-mails of this process. Cheap to clone; all clones share one inbox.
#[derive(Clone, Default)]
pub struct DevInbox(Arc<Mutex<VecDeque<Arc<CapturedEmail>>>>);

impl DevInbox {
    /// A new inbox; `None` unless the settings capture e-mails, which they do in development if none are sent.
    pub fn of(config: &Config) -> Option<Self> {
        config.keeps_mail().then(Self::default)
    }

    /// Captures an e-mail. It replaces one with the same id, which exists if the job ran twice.
    pub fn capture(&self, email: CapturedEmail) {
        let mut emails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        emails.retain(|captured| captured.id != email.id);
        emails.push_front(Arc::new(email));
        emails.truncate(MAX_EMAILS);
    }

    /// All e-mails, the newest first.
    pub fn list(&self) -> Vec<Arc<CapturedEmail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Arc::clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;

    fn email(id: JobId, subject: usize) -> CapturedEmail {
        let (to, message_id) = ("ada@example.com".to_owned(), format!("<{id}@localhost>"));
        let (text, html, sent_at) = (String::new(), String::new(), Clock::System.now());
        CapturedEmail { id, to, subject: subject.to_string(), text, html, message_id, sent_at }
    }

    fn subjects(inbox: &DevInbox) -> Vec<String> {
        inbox.list().iter().map(|email| email.subject.clone()).collect()
    }

    #[test]
    fn the_newest_e_mails_are_kept_in_order() {
        let inbox = DevInbox::default();
        (0..=MAX_EMAILS)
            .for_each(|number| inbox.clone().capture(email(JobId::new(Clock::System.now()), number)));
        let expected: Vec<_> = (1..=MAX_EMAILS).rev().map(|number| number.to_string()).collect();
        assert_eq!(subjects(&inbox), expected);
    }

    #[test]
    fn an_e_mail_that_was_sent_twice_is_stored_once() {
        let (inbox, id) = (DevInbox::default(), JobId::new(Clock::System.now()));
        inbox.capture(email(id, 1));
        inbox.capture(email(JobId::new(Clock::System.now()), 2));
        inbox.capture(email(id, 3));
        assert_eq!(subjects(&inbox), ["3", "2"]);
    }
}

//! Mails in memory, for development: where nothing sends them, somebody must be able to read them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{base::ids::JobId, runtime::config::Config};

/// How many mails are kept; older ones are forgotten.
const MOST: usize = 200;

/// A mail as its reader would see it. Its texts hold links that act, so it has no `Debug`.
#[derive(Clone)]
pub struct CapturedEmail {
    /// Its address, and that of the job that sent it.
    pub id: JobId,
    /// The mailbox.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The part for those who read text.
    pub text: String,
    /// The part for those who read HTML: a whole document.
    pub html: String,
    /// Its `Message-ID`, with its angle brackets.
    pub message_id: String,
    /// When it was put here.
    pub sent_at: DateTime<Utc>,
}

/// The newest 200 mails of this process. Cheap to clone: all clones are one mailbox.
#[derive(Clone, Default)]
pub struct DevInbox(Arc<Mutex<VecDeque<Arc<CapturedEmail>>>>);

impl DevInbox {
    /// A new one, where mails are kept: in development, while none leaves.
    pub fn of(config: &Config) -> Option<Self> {
        config.keeps_mail().then(Self::default)
    }

    /// Keeps a mail. One that is there already, since its job was done twice, is replaced.
    pub fn keep(&self, mail: CapturedEmail) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.retain(|kept| kept.id != mail.id);
        mails.push_front(Arc::new(mail));
        mails.truncate(MOST);
    }

    /// Every mail, the newest first.
    pub fn mails(&self) -> Vec<Arc<CapturedEmail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Arc::clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;

    fn mail(id: JobId, subject: usize) -> CapturedEmail {
        let (to, message_id) = ("ada@example.com".to_owned(), format!("<{id}@localhost>"));
        let (text, html, sent_at) = (String::new(), String::new(), Clock::System.now());
        CapturedEmail { id, to, subject: subject.to_string(), text, html, message_id, sent_at }
    }

    fn subjects(mailbox: &DevInbox) -> Vec<String> {
        mailbox.mails().iter().map(|mail| mail.subject.clone()).collect()
    }

    #[test]
    fn the_newest_mails_are_kept_and_the_newest_comes_first() {
        let mailbox = DevInbox::default();
        (0..=MOST).for_each(|number| mailbox.clone().keep(mail(JobId::new(Clock::System.now()), number)));
        let expected: Vec<_> = (1..=MOST).rev().map(|number| number.to_string()).collect();
        assert_eq!(subjects(&mailbox), expected);
    }

    #[test]
    fn a_mail_that_was_sent_twice_is_there_once() {
        let (mailbox, id) = (DevInbox::default(), JobId::new(Clock::System.now()));
        mailbox.keep(mail(id, 1));
        mailbox.keep(mail(JobId::new(Clock::System.now()), 2));
        mailbox.keep(mail(id, 3));
        assert_eq!(subjects(&mailbox), ["3", "2"]);
    }
}

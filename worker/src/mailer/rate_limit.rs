//! How many mails one organization sends, and one mailbox gets: counted like requests, by all workers together. Here nobody is
//! refused: what is too much waits.

use std::time::Duration;

use insula_core::{
    base::{backoff::random_part, ids::OrgId},
    runtime::rate_limit::{RateClass, RateLimiter},
};

use super::Delivery;

/// What is allowed.
pub(super) struct EmailRateLimit(pub(super) RateLimiter);

impl EmailRateLimit {
    /// Counts a mail of `org` (the platform's own count for nobody) to the mailbox of this pseudonym.
    ///
    /// # Errors
    /// [`Delivery::PutOff`] when it must wait.
    pub(super) async fn take(&self, org: OrgId, mailbox: String) -> Result<(), Delivery> {
        if org != OrgId::PLATFORM {
            self.count(RateClass::OrganizationEmails, &org.0.to_string()).await?;
        }
        self.count(RateClass::RecipientEmails, &mailbox).await
    }

    async fn count(&self, class: RateClass, key: &str) -> Result<(), Delivery> {
        let verdict = self.0.take(class, key).await;
        let Some(wait) = verdict.wait else { return Ok(()) };
        // A part of the time more, by chance: those that wait for one bucket do not all come back for one token.
        let wait = (wait + random_part(verdict.quota.per / 10)).max(Duration::from_secs(1));
        let why = match class {
            RateClass::OrganizationEmails => {
                "its organization sends more e-mails than INSULA_LIMIT_ORGANIZATION_EMAILS allows"
            }
            _ => "its recipient receives more e-mails than INSULA_LIMIT_RECIPIENT_EMAILS allows",
        };
        Err(Delivery::PutOff { wait, why: why.to_owned() })
    }
}

//! The rate limits of e-mails per organization and per recipient, which all workers share. E-mails above a limit are
//! delayed, never rejected.

use std::time::Duration;

use insula_core::{
    base::{backoff::random_part, ids::OrgId},
    runtime::rate_limit::{RateClass, RateLimiter},
};

use super::Delivery;

/// The rate limits of e-mails.
pub(super) struct EmailRateLimit(pub(super) RateLimiter);

impl EmailRateLimit {
    /// Counts an e-mail of `org` to the recipient with this pseudonym. The platform has no limit.
    ///
    /// # Errors
    /// [`Delivery::PutOff`] when the e-mail must wait.
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
        let wait = (wait + random_part(verdict.rate.per / 10)).max(Duration::from_secs(1));
        let why = match class {
            RateClass::OrganizationEmails => {
                "its organization sends more e-mails than INSULA_LIMIT_ORGANIZATION_EMAILS allows"
            }
            _ => "its recipient receives more e-mails than INSULA_LIMIT_RECIPIENT_EMAILS allows",
        };
        Err(Delivery::PutOff { wait, why: why.to_owned() })
    }
}

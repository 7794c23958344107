//! Mails: put into words and handed over to whatever takes them here.

mod rate_limit;
mod folder;
mod circuit_breaker;
mod templates;
mod test_email;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rate_limit::EmailRateLimit;

use chrono::{DateTime, Utc};
use circuit_breaker::{BreakerPermit, CircuitBreaker};
use folder::Folder;
use insula_core::{
    base::{clock::Clock, ids::JobId, text::error_line},
    identity::one_time_tokens::EmailTokens,
    lifecycle::email_content::{self, Composed, EmailContent, Template},
    runtime::{
        config::{Config, ConfigError, HostName},
        job_wakeup::JobRef,
        rate_limit::RateLimiter,
    },
    storage::{
        db::Db,
        emails::{CapturedEmail, DeliveryAttempt, DevInbox, Status},
        outbox::Job,
    },
};
use templates::{Branding, Templates};
pub use test_email::TestEmailError;
use test_email::hint;

use crate::smtp::{self, DeliveryFailure, Reached, RenderedEmail, Say, Sender, Smtp, Stage};

/// Why no mail leaves.
const NOWHERE: &str = "no e-mail is configured: set INSULA_SMTP_URL or INSULA_MAIL_FOLDER";

/// Takes the mails of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    mail: EmailTokens,
    public_url: String,
    /// Of the names of mails.
    domain: String,
    sender: Sender,
    templates: Templates,
    sink: Transport,
    gate: CircuitBreaker,
    allowance: EmailRateLimit,
}

/// What came of the job to send a mail.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// It was tried.
    Tried(DeliveryAttempt),
    /// So many mails went there that this one waits.
    PutOff {
        /// How long.
        wait: Duration,
        /// For which limit; one line for operators.
        why: String,
    },
    /// Nothing can be handed over, whatever the mail is: it waits, and this was no attempt.
    Outage {
        /// How long.
        wait: Duration,
        /// What was tried.
        attempt: DeliveryAttempt,
    },
}

/// Where mails go.
enum Transport {
    Smtp(Box<Smtp>),
    Folder(Folder),
    Memory(DevInbox),
    Nowhere,
}

impl Mailer {
    /// Makes ready, as the settings say, and tries every template; connects to nobody yet: a mail server that is away
    /// keeps nothing from starting. Links lead below `public_url`. Where no mail leaves, `memory` takes them. `limits` say how
    /// many mails one mailbox gets, and how many one organization sends.
    ///
    /// # Errors
    /// What no mail could be sent with, one line each: the sender's address, a folder, a template with its file and line.
    pub fn open(
        config: &Config,
        mail: EmailTokens,
        public_url: &str,
        memory: Option<DevInbox>,
        limits: RateLimiter,
    ) -> Result<Self, ConfigError> {
        let refused = |fault: String| ConfigError(vec![fault]);
        let public_url = public_url.trim_end_matches('/').to_owned();
        let host = HostName::of_url(&public_url);
        let named = config.mail_domain.as_ref().or(host.as_ref());
        let domain = named.map_or("localhost", HostName::as_str).to_owned();
        let default = || format!("Insula <no-reply@{domain}>");
        let sender = Sender::parse(&config.mail_from.clone().unwrap_or_else(default));
        let sender = sender.map_err(|fault| refused(format!("INSULA_MAIL_FROM: {fault}")))?;
        // RFC 2142 §2: the mailbox that every domain has for this.
        let abuse = config.abuse_contact.clone().unwrap_or_else(|| format!("abuse@{domain}"));
        let product = sender.name().unwrap_or("Insula").to_owned();
        let house = Branding { product, home: public_url.clone(), abuse };
        let templates = Templates::open(config.mail_templates.as_deref(), house).map_err(ConfigError)?;
        let sink = match (&config.smtp_url, &config.mail_folder, memory) {
            (Some(server), ..) => {
                let smtp = Smtp::new(server, config.mail_helo.as_ref().or(named), config);
                Transport::Smtp(Box::new(smtp.map_err(|fault| refused(format!("INSULA_SMTP_URL: {fault}")))?))
            }
            (None, Some(folder), _) => {
                let folder = Folder::open(folder);
                Transport::Folder(folder.map_err(|fault| refused(format!("INSULA_MAIL_FOLDER: {fault}")))?)
            }
            (None, None, Some(mailbox)) if !config.is_production() => Transport::Memory(mailbox),
            (None, None, _) => Transport::Nowhere,
        };
        let allowance = EmailRateLimit(limits);
        Ok(Self(Arc::new(Inner {
            mail,
            public_url,
            domain,
            sender,
            templates,
            sink,
            gate: CircuitBreaker::default(),
            allowance,
        })))
    }

    /// Does anything take mails here?
    pub fn sends(&self) -> bool {
        !matches!(self.0.sink, Transport::Nowhere)
    }

    /// The right to try a mail; `None`: whatever takes them cannot be used now.
    pub(crate) fn enter(&self) -> Option<BreakerPermit<'_>> {
        self.0.gate.enter(Instant::now())
    }

    /// How many mails more may be tried at once; `None`: as many as there are.
    pub(crate) fn room(&self) -> Option<usize> {
        self.0.gate.room(Instant::now())
    }

    /// Looks up what the mail of a job says and hands it over; tells what came of it. A mail counts as sent once whoever
    /// took it has said so. To be cut off in the middle loses nothing, and may send it twice.
    pub(crate) async fn deliver(&self, db: &Db, JobRef { org, job: id }: JobRef, job: &Job) -> Delivery {
        let office = &*self.0;
        let template = Template::of(job).as_str();
        let attempt = |to: String, status, error: Option<String>| {
            let error = error.map(|error| error_line(&error));
            DeliveryAttempt { to, template, message_id: office.message_id(id), status, error }
        };
        let letter = match email_content::compose(db, &office.mail, &office.public_url, job).await {
            Ok(Composed::Send(letter)) => letter,
            Ok(Composed::Skip { to, reason }) => {
                return Delivery::Tried(attempt(to, Status::Suppressed, Some(reason.to_owned())));
            }
            Err(error) => {
                tracing::warn!(%error, job = %id, "could not load the data of an e-mail");
                let why = Some("the database did not respond".into());
                return Delivery::Tried(attempt(String::new(), Status::Deferred, why));
            }
        };
        if let Err(put_off) = office.allowance.take(org, office.mail.pseudonym(&letter.to)).await {
            return put_off;
        }
        match office.send(id, &letter, db.now(), &|_| {}).await {
            Ok(_) => {
                office.reached();
                Delivery::Tried(attempt(letter.to, Status::Sent, None))
            }
            Err(DeliveryFailure { status, text, reached, .. }) => {
                let text = without_secrets(text, &letter);
                let wait = match reached {
                    Reached::Yes => {
                        office.reached();
                        None
                    }
                    Reached::No => Some(office.unreachable(&text)),
                    Reached::NotTried => None,
                };
                let attempt = attempt(letter.to, status, Some(text));
                match wait {
                    Some(wait) => Delivery::Outage { wait, attempt },
                    None => Delivery::Tried(attempt),
                }
            }
        }
    }

    /// Sends a test mail to `to`, telling each step; gives its `Message-ID`.
    ///
    /// # Errors
    /// What went wrong, and what to look at.
    pub async fn try_out(&self, to: &str, say: &(dyn Fn(&str) + Sync)) -> Result<String, TestEmailError> {
        let (office, now) = (&*self.0, Clock::System.now());
        let (template, locale) = (Template::Test, String::from("en"));
        let letter = EmailContent {
            to: to.into(),
            template,
            locale,
            name: None,
            link: None,
            device: None,
            until: None,
            invitation: None,
        };
        say(&match &office.sink {
            Transport::Smtp(smtp) => format!("sending with {}", smtp.describe()),
            Transport::Folder(folder) => format!("writing to {}", folder.describe()),
            Transport::Memory(_) | Transport::Nowhere => {
                let hint = "set INSULA_SMTP_URL, or INSULA_MAIL_FOLDER to write files";
                return Err(TestEmailError {
                    what: "no e-mail is configured".into(),
                    hint,
                    is_nowhere: true,
                });
            }
        });
        let id = JobId::new(now);
        match office.send(id, &letter, now, say).await {
            Ok(_) => Ok(office.message_id(id)),
            Err(refused) => Err(TestEmailError {
                what: error_line(&refused.text),
                hint: hint(refused.stage),
                is_nowhere: false,
            }),
        }
    }
}

impl Inner {
    fn reached(&self) {
        if self.gate.reached() {
            tracing::info!("e-mails can be sent again");
        }
    }

    /// Gives how long no other mail is tried.
    fn unreachable(&self, error: &str) -> Duration {
        let (wait, is_news) = self.gate.unreachable(Instant::now());
        if is_news {
            tracing::error!(error = error_line(error), "e-mails cannot be sent: they are delayed");
        }
        wait
    }

    fn message_id(&self, id: JobId) -> String {
        format!("<{id}@{}>", self.domain)
    }

    async fn send(
        &self,
        id: JobId,
        letter: &EmailContent,
        now: DateTime<Utc>,
        say: Say<'_>,
    ) -> Result<(), DeliveryFailure> {
        let refused = |status, text| DeliveryFailure {
            stage: Stage::Recipient,
            status,
            text,
            reached: Reached::NotTried,
        };
        // Known to every mail of a job: when it was asked for.
        let asked_at = id.made_at().unwrap_or(now);
        let text = self.templates.text(letter, asked_at).map_err(|fault| refused(Status::Deferred, fault))?;
        let message_id = self.message_id(id);
        let pack = |text: &RenderedEmail| {
            let parcel = smtp::pack(&self.sender, &letter.to, text, &message_id, now);
            parcel.map_err(|fault| refused(Status::Bounced, fault))
        };
        match &self.sink {
            Transport::Smtp(smtp) => smtp.send(&pack(&text)?, say).await.map(drop),
            Transport::Folder(folder) => {
                let written = folder.put(id, pack(&text)?.bytes).await;
                let (stage, status, reached) = (Stage::Content, Status::Deferred, Reached::No);
                written.map_err(|text| DeliveryFailure { stage, status, text, reached })
            }
            Transport::Memory(mailbox) => {
                let RenderedEmail { subject, text, html } = text;
                mailbox.keep(CapturedEmail {
                    id,
                    to: letter.to.clone(),
                    subject,
                    text,
                    html,
                    message_id,
                    sent_at: now,
                });
                Ok(())
            }
            Transport::Nowhere => Err(refused(Status::Suppressed, NOWHERE.to_owned())),
        }
    }
}

/// A server may repeat what it did not like of a mail: the link in it, above all.
fn without_secrets(text: String, letter: &EmailContent) -> String {
    let Some(link) = &letter.link else { return text };
    let url = link.url.expose();
    let token =
        url.split_once('#').and_then(|(_, fragment)| fragment.split_once('=')).map(|(_, token)| token);
    let text = text.replace(url.as_str(), "…");
    match token.filter(|token| !token.is_empty()) {
        Some(token) => text.replace(token, "…"),
        None => text,
    }
}

#[cfg(test)]
mod tests;

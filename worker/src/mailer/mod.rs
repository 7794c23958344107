//! Renders e-mails and sends them with the configured transport.

mod rate_limit;
mod folder;
mod circuit_breaker;
mod templates;
mod test_email;
mod transport;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rate_limit::EmailRateLimit;

use chrono::{DateTime, Utc};
pub(crate) use circuit_breaker::BreakerPermit;
use circuit_breaker::CircuitBreaker;
use insula_core::{
    base::{clock::Clock, ids::JobId, text::error_line, trace_context::TraceContext},
    identity::one_time_tokens::EmailTokens,
    lifecycle::email_content::{self, Composition, EmailContent, Template},
    runtime::{
        config::{Config, ConfigError, HostName, LogoFormat},
        job_wakeup::JobRef,
        rate_limit::RateLimiter,
    },
    storage::{
        db::Db,
        emails::{CapturedEmail, DeliveryAttempt, DeliveryStatus, DevInbox},
        outbox::Job,
    },
};
pub use templates::mail_languages;
use templates::{EmailBranding, Templates};
pub use test_email::TestEmailError;
use test_email::hint;
use transport::Transport;

use crate::smtp::{self, DeliveryFailure, RenderedEmail, ReportStep, Sender, ServerState, Stage};

/// The error without a transport.
const NOT_CONFIGURED: &str = "no e-mail is configured: set INSULA_SMTP_URL or INSULA_MAIL_FOLDER";

/// The colour of buttons and links, if the operator chose none.
const ACCENT: &str = "#14607f";

/// Takes the mails of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    mail: EmailTokens,
    public_url: String,
    /// Domain of `Message-ID`s.
    domain: String,
    sender: Sender,
    templates: Templates,
    transport: Transport,
    breaker: Arc<CircuitBreaker>,
    rate_limit: EmailRateLimit,
}

/// The result of a job that sends an e-mail.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The e-mail was tried.
    Tried(DeliveryAttempt),
    /// A rate limit delays the e-mail.
    PutOff {
        wait: Duration,
        /// The limit, in one line for operators.
        why: String,
    },
    /// The transport cannot be used. The e-mail waits, and this does not count as an attempt.
    Outage {
        wait: Duration,
        /// The failed attempt.
        attempt: DeliveryAttempt,
    },
}

impl Mailer {
    /// Reads the settings and checks all templates. Makes no connection, so an unreachable mail server does not prevent
    /// a start. Links start with `public_url`. `memory` stores e-mails if no transport is configured. `limits` limits
    /// the e-mails per recipient and per organization.
    ///
    /// # Errors
    /// One line for each setting that prevents e-mails: the sender, the folder, a template with file and line.
    pub fn open(
        config: &Config,
        mail: EmailTokens,
        public_url: &str,
        memory: Option<DevInbox>,
        limits: RateLimiter,
    ) -> Result<Self, ConfigError> {
        let config_error = |error: String| ConfigError(vec![error]);
        let public_url = public_url.trim_end_matches('/').to_owned();
        let host = HostName::of_url(&public_url);
        let mail_domain = config.mail_domain.as_ref().or(host.as_ref());
        let domain = mail_domain.map_or("localhost", HostName::as_str).to_owned();
        let product = config.product_name.0.clone();
        let sender = match &config.mail_from {
            Some(sender) => Sender::parse(sender),
            None => Sender::named(&product, &format!("no-reply@{domain}")),
        };
        let sender = sender.map_err(|error| config_error(format!("INSULA_MAIL_FROM: {error}")))?;
        // RFC 2142 §2 defines this e-mail address for every domain.
        let abuse = config.abuse_contact.clone().unwrap_or_else(|| format!("abuse@{domain}"));
        let logo = config.logo_file.as_ref().filter(|logo| logo.format == LogoFormat::Png);
        let logo = logo.map(|logo| format!("{public_url}{}", logo.path()));
        let accent = config.accent_color.map_or(ACCENT.to_owned(), |accent| accent.light.accent.to_string());
        let branding = EmailBranding { product, home: public_url.clone(), abuse, logo, accent };
        let templates = Templates::open(config.mail_templates.as_deref(), branding).map_err(ConfigError)?;
        let transport = Transport::open(config, mail_domain, memory)?;
        let rate_limit = EmailRateLimit(limits);
        Ok(Self(Arc::new(Inner {
            mail,
            public_url,
            domain,
            sender,
            templates,
            transport,
            breaker: Arc::default(),
            rate_limit,
        })))
    }

    /// Whether a transport is configured.
    pub fn sends(&self) -> bool {
        !matches!(self.0.transport, Transport::Disabled)
    }

    /// Returns a permit to try an e-mail; `None`: the transport cannot be used now.
    pub(crate) fn enter(&self) -> Option<BreakerPermit> {
        self.0.breaker.enter(Instant::now())
    }

    /// How many more e-mails can be tried now; `None`: no limit.
    pub(crate) fn room(&self) -> Option<usize> {
        self.0.breaker.room(Instant::now())
    }

    /// Composes and sends the e-mail of a job. It counts as sent when the transport has confirmed it. If this is
    /// cancelled, no e-mail is lost, but one can be sent twice.
    pub(crate) async fn deliver(
        &self,
        db: &Db,
        JobRef { org, job: id }: JobRef,
        job: &Job,
        trace: &TraceContext,
    ) -> Delivery {
        let inner = &*self.0;
        let template = Template::of(job).as_str();
        let attempt = |to: String, status, error: Option<String>| {
            let error = error.map(|error| error_line(&error));
            DeliveryAttempt { to, template, message_id: inner.message_id(id), status, error }
        };
        let content = match email_content::compose(db, &inner.mail, &inner.public_url, job).await {
            Ok(Composition::Send(content)) => content,
            Ok(Composition::Skip { to, reason }) => {
                return Delivery::Tried(attempt(to, DeliveryStatus::Suppressed, Some(reason.to_owned())));
            }
            Err(error) => {
                tracing::warn!(%error, job = %id, "could not load the data of an e-mail");
                let why = Some("the database did not respond".into());
                return Delivery::Tried(attempt(String::new(), DeliveryStatus::Deferred, why));
            }
        };
        if let Err(delayed) = inner.rate_limit.take(org, inner.mail.pseudonym(&content.to)).await {
            return delayed;
        }
        match inner.send(id, trace, &content, db.now(), &|_| {}).await {
            Ok(_) => {
                inner.reached();
                Delivery::Tried(attempt(content.to, DeliveryStatus::Sent, None))
            }
            Err(DeliveryFailure { status, text, reached, .. }) => {
                let text = without_secrets(text, &content);
                let wait = match reached {
                    ServerState::Yes => {
                        inner.reached();
                        None
                    }
                    ServerState::No => Some(inner.unreachable(&text)),
                    ServerState::NotTried => None,
                };
                let attempt = attempt(content.to, status, Some(text));
                match wait {
                    Some(wait) => Delivery::Outage { wait, attempt },
                    None => Delivery::Tried(attempt),
                }
            }
        }
    }

    /// Sends a test e-mail to `to` and reports each step. Returns its `Message-ID`.
    ///
    /// # Errors
    /// What failed, and what to check.
    pub async fn send_test(
        &self,
        to: &str,
        report: &(dyn Fn(&str) + Sync),
    ) -> Result<String, TestEmailError> {
        let (inner, now) = (&*self.0, Clock::System.now());
        let (template, locale) = (Template::Test, String::from("en"));
        let content = EmailContent {
            to: to.into(),
            template,
            locale,
            name: None,
            link: None,
            device: None,
            until: None,
            invitation: None,
        };
        report(&match &inner.transport {
            Transport::Smtp(smtp) => format!("sending with {}", smtp.describe()),
            Transport::Folder(folder) => format!("writing to {}", folder.describe()),
            Transport::Memory(_) | Transport::Disabled => {
                let hint = "set INSULA_SMTP_URL, or INSULA_MAIL_FOLDER to write files";
                return Err(TestEmailError {
                    what: "no e-mail is configured".into(),
                    hint,
                    is_not_configured: true,
                });
            }
        });
        let id = JobId::new(now);
        match inner.send(id, &TraceContext::random(), &content, now, report).await {
            Ok(_) => Ok(inner.message_id(id)),
            Err(refused) => Err(TestEmailError {
                what: error_line(&refused.text),
                hint: hint(refused.stage),
                is_not_configured: false,
            }),
        }
    }
}

impl Inner {
    fn reached(&self) {
        if self.breaker.reached() {
            tracing::info!("e-mails can be sent again");
        }
    }

    /// Returns the pause until the next attempt.
    fn unreachable(&self, error: &str) -> Duration {
        let (wait, is_news) = self.breaker.unreachable(Instant::now());
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
        trace: &TraceContext,
        content: &EmailContent,
        now: DateTime<Utc>,
        report: ReportStep<'_>,
    ) -> Result<(), DeliveryFailure> {
        let failure = |status, text| DeliveryFailure {
            stage: Stage::Recipient,
            status,
            text,
            reached: ServerState::NotTried,
        };
        // The time of the request, which is the same for each attempt of a job.
        let asked_at = id.created_at().unwrap_or(now);
        let text = self
            .templates
            .text(content, asked_at)
            .map_err(|error| failure(DeliveryStatus::Deferred, error))?;
        let message_id = self.message_id(id);
        let encode = |text: &RenderedEmail, trace: &TraceContext| {
            let email = smtp::encode(&self.sender, &content.to, text, &message_id, trace, now);
            email.map_err(|error| failure(DeliveryStatus::Bounced, error))
        };
        match &self.transport {
            Transport::Smtp(smtp) => {
                let span = smtp.span();
                let email = encode(&text, &span.context().unwrap_or(*trace))?;
                let sent = smtp.send(&email, report).await;
                sent.map(drop).inspect_err(|failure| span.fail(failure.status.as_str()))
            }
            Transport::Folder(folder) => {
                let written = folder.put(id, encode(&text, trace)?.bytes).await;
                let (stage, status, reached) = (Stage::Content, DeliveryStatus::Deferred, ServerState::No);
                written.map_err(|text| DeliveryFailure { stage, status, text, reached })
            }
            Transport::Memory(mailbox) => {
                let RenderedEmail { subject, text, html } = text;
                mailbox.capture(CapturedEmail {
                    id,
                    to: content.to.clone(),
                    subject,
                    text,
                    html,
                    message_id,
                    sent_at: now,
                });
                Ok(())
            }
            Transport::Disabled => Err(failure(DeliveryStatus::Suppressed, NOT_CONFIGURED.to_owned())),
        }
    }
}

/// Removes the link and its token, which a server can repeat in its response.
fn without_secrets(text: String, content: &EmailContent) -> String {
    let Some(link) = &content.link else { return text };
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

//! `/admin/emails`: what became of every mail, and sending one again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::FieldErrors,
        ids::{JobId, OrgId},
        pagination::Sort,
        text,
    },
    storage::{
        emails::{self, EmailFilter, EmailKey, Status},
        outbox,
    },
};
use poem::Request;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::{super::Tag, jobs::Job};
use crate::{
    auth::extractors::SuperuserOnly,
    http::{AcceptedJob, Cursor, Email as Address, Id, Limit, ListRequest, PageResponse},
    problem::{Result, WithConflict},
    state::State,
};

pub struct EmailsApi(pub Arc<State>);

crate::texts! {
    /// The name of a template.
    TemplateName { length: 1..=100, pattern: "^[a-z][a-z0-9_]*$", example: "welcome" }
    /// A mailbox; empty where nobody was left to be written to.
    Mailbox { length: 0..=text::EmailAddress::MAX, example: "ada@example.com" }
    /// The name of a mail (RFC 5322 §3.6.4).
    MessageId { length: 1..=998, example: "<0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091@insula.example>" }
}

/// What became of a mail. `deferred`: it is tried again; `bounced`: it was refused for good; `dead`: it was tried for too
/// long; `suppressed`: it was not sent on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum EmailStatus {
    Sent,
    Deferred,
    Bounced,
    Dead,
    Suppressed,
}

/// What became of a mail. What it said is nowhere kept.
#[derive(Object, Serialize)]
struct Email {
    /// The mail, and the job that sent it.
    id: Uuid,
    /// For whom it was sent; `null`: the platform itself.
    #[oai(nullable)]
    organization_id: Option<Uuid>,
    /// To which mailbox; empty where nobody was left to be written to.
    to: Mailbox,
    /// What it said: the name of its template.
    template: TemplateName,
    /// What became of it.
    status: EmailStatus,
    /// Its `Message-ID`, the same for every attempt.
    message_id: MessageId,
    /// How often it was tried.
    attempts: i32,
    /// Why it was not sent.
    #[oai(nullable)]
    last_error: Option<String>,
    /// When the mail server took it.
    #[oai(nullable)]
    sent_at: Option<DateTime<Utc>>,
    /// The trace of the request that asked for it.
    #[oai(nullable)]
    trace_id: Option<String>,
    /// When it was tried first.
    created_at: DateTime<Utc>,
    /// When it was tried last.
    updated_at: DateTime<Utc>,
}

/// What the list is ordered by; `-`: from the last to the first.
#[derive(Clone, Copy, Debug, Enum)]
enum EmailSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
}

#[OpenApi(tag = "Tag::Platform")]
impl EmailsApi {
    /// List the mails
    ///
    /// Of every organization, the newest first. What waits for its first attempt is not among them, but among the jobs.
    #[oai(path = "/admin/emails", method = "get", operation_id = "listEmails")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<EmailSort>>,
        /// Only mails of which this became.
        status: Query<Option<EmailStatus>>,
        /// Only mails of this template.
        template: Query<Option<TemplateName>>,
        /// Only mails to this address.
        to: Query<Option<Address>>,
        /// Only mails of this organization; `00000000-0000-0000-0000-000000000000`: only the platform's own.
        organization_id: Query<Option<Id>>,
    ) -> Result<PageResponse<Email>> {
        let mut fields = FieldErrors::default();
        let to = fields.parse_optional("to", to.0.map(|to| text::EmailAddress::parse(&to.0)));
        fields.into_result()?;
        let filter = EmailFilter {
            status: status.0.map(Into::into),
            template: template.0.map(Into::into),
            to,
            organization: organization_id.0.map(|id| OrgId(id.0)),
        };
        let sort = sort.0.unwrap_or(EmailSort::CreatedAtDescending).into();
        let list = format!("listEmails {sort:?} {filter:?}");
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let page = emails::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, Email::from))
    }

    /// Send a mail again
    ///
    /// By a new job like the one that sent it; the answer is that job. A mail that is still being tried is tried now
    /// instead.
    #[oai(path = "/admin/emails/:email/resend", method = "post", operation_id = "resendEmail")]
    async fn resend(&self, me: SuperuserOnly, email: Path<Id>) -> Result<AcceptedJob<Job>, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        let job = outbox::resend(&tx, JobId(email.0.0)).await?;
        tx.commit().await?;
        Ok(AcceptedJob(Job::new(job, self.0.db.now())))
    }
}

impl From<emails::Email> for Email {
    fn from(row: emails::Email) -> Self {
        Self {
            id: row.id.0,
            organization_id: super::tenant(row.organization_id),
            to: Mailbox(row.to),
            template: TemplateName(row.template),
            status: row.status.into(),
            message_id: MessageId(row.message_id),
            attempts: row.attempts,
            last_error: row.last_error,
            sent_at: row.sent_at,
            trace_id: row.trace_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<Status> for EmailStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Sent => Self::Sent,
            Status::Deferred => Self::Deferred,
            Status::Bounced => Self::Bounced,
            Status::Dead => Self::Dead,
            Status::Suppressed => Self::Suppressed,
        }
    }
}

impl From<EmailStatus> for Status {
    fn from(status: EmailStatus) -> Self {
        match status {
            EmailStatus::Sent => Self::Sent,
            EmailStatus::Deferred => Self::Deferred,
            EmailStatus::Bounced => Self::Bounced,
            EmailStatus::Dead => Self::Dead,
            EmailStatus::Suppressed => Self::Suppressed,
        }
    }
}

impl From<EmailSort> for Sort<EmailKey> {
    fn from(sort: EmailSort) -> Self {
        let descending = matches!(sort, EmailSort::CreatedAtDescending);
        Self { key: EmailKey::CreatedAt, descending }
    }
}

//! `/admin/emails`: the delivery status of e-mails, and sending one again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::FieldErrors,
        ids::{JobId, OrgId},
        text,
    },
    storage::{
        emails::{self, DeliveryStatus, EmailFilter, EmailKey},
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
    http::{AcceptedJob, Cursor, Email as Address, Id, Limit, ListRequest, PageResponse, sort_keys},
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct EmailsApi(pub Arc<AppState>);

crate::texts! {
    /// Name of an e-mail template.
    TemplateName { length: 1..=100, pattern: "^[a-z][a-z0-9_]*$", example: "welcome" }
    /// E-mail address of the recipient. Empty if the recipient no longer exists.
    Mailbox { length: 0..=text::EmailAddress::MAX, example: "ada@example.com" }
    /// `Message-ID` of an e-mail (RFC 5322 §3.6.4).
    MessageId { length: 1..=998, example: "<0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091@insula.example>" }
}

/// Delivery status of an e-mail: `sent` (the mail server accepted it), `deferred` (it failed and will be
/// tried again), `bounced` (the mail server refused it permanently), `dead` (it failed too often and is not
/// tried again) or `suppressed` (it was deliberately not sent, for example because its link has expired).
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

/// An e-mail and its delivery status. The text of e-mails is never stored.
#[derive(Object, Serialize)]
struct Email {
    /// Id of the e-mail, which is also the id of the job that sent it.
    id: Uuid,
    /// The organization for which it was sent. `null`: the platform.
    #[oai(nullable)]
    organization_id: Option<Uuid>,
    /// E-mail address of the recipient. Empty if the recipient no longer exists.
    to: Mailbox,
    /// Name of the template of the e-mail.
    template: TemplateName,
    /// Delivery status of the e-mail.
    status: EmailStatus,
    /// `Message-ID` header, the same for every attempt.
    message_id: MessageId,
    /// Number of attempts to send it.
    attempts: i32,
    /// Why the last attempt failed. `null`: no attempt failed.
    #[oai(nullable)]
    last_error: Option<String>,
    /// When the mail server accepted it. `null`: not sent.
    #[oai(nullable)]
    sent_at: Option<DateTime<Utc>>,
    /// Id of the trace of the request that caused it (W3C Trace Context). `null`: no trace.
    #[oai(nullable)]
    trace_id: Option<String>,
    /// When the first attempt was made.
    created_at: DateTime<Utc>,
    /// When the last attempt was made.
    updated_at: DateTime<Utc>,
}

sort_keys! {
    EmailSort of EmailKey;
    created_at: CreatedAt,
}

#[OpenApi(tag = "Tag::Platform")]
impl EmailsApi {
    /// List e-mails
    ///
    /// Returns the e-mails of all organizations, newest first by default. E-mails that wait for their first
    /// attempt are listed only as jobs.
    #[oai(path = "/admin/emails", method = "get", operation_id = "listEmails")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<EmailSort>>,
        /// Only e-mails with this status.
        status: Query<Option<EmailStatus>>,
        /// Only e-mails of this template.
        template: Query<Option<TemplateName>>,
        /// Only e-mails to this e-mail address.
        to: Query<Option<Address>>,
        /// Only e-mails of this organization. `00000000-0000-0000-0000-000000000000` means only those of the
        /// platform.
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
        let sort = sort.0.unwrap_or(EmailSort::descending(EmailKey::CreatedAt));
        let paging = ListRequest::new(&self.0.cursors, request, &filter, (limit.0, sort, cursor.0))?;
        let page = emails::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, Email::from))
    }

    /// Resend an e-mail
    ///
    /// Creates a new job that sends the e-mail again, and returns that job. If the e-mail is still being
    /// tried, its job runs now instead. The error is `EMAIL_NOT_KEPT` if the original job is no longer
    /// stored.
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

impl From<DeliveryStatus> for EmailStatus {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Sent => Self::Sent,
            DeliveryStatus::Deferred => Self::Deferred,
            DeliveryStatus::Bounced => Self::Bounced,
            DeliveryStatus::Dead => Self::Dead,
            DeliveryStatus::Suppressed => Self::Suppressed,
        }
    }
}

impl From<EmailStatus> for DeliveryStatus {
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

//! `/organizations/{org}/invitations`: invitations that an organization sends.

mod bulk;
pub(crate) mod received;
pub(crate) mod responses;
mod schema;

use std::sync::Arc;

use insula_core::{
    Error,
    base::{
        ids::InvitationId,
        permissions::{InvitationsRead, MembersInvite},
    },
    storage::idempotency::IdempotentBegin,
    tenancy::invitations::{self, InvitationKey, InvitationStatus, NewInvitation},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::Tag;
use crate::{
    auth::tenant,
    body::StrictJson,
    http::{
        BulkResponse, CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfNoneMatch, Limit,
        ListRequest, NoContent, PageResponse, WithEtag,
    },
    middleware::rate_limit,
    problem::Result,
    state::AppState,
};
use bulk::{InvitationOutcome, InvitationOutcomes};

use schema::{Invitation, InvitationBatchCreate, InvitationCreate, InvitationSort, InvitationStatusName};

pub struct InvitationsApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Invitations")]
impl InvitationsApi {
    /// List invitations
    ///
    /// Returns the invitations of the organization, including those that are accepted,
    /// declined, revoked or expired.
    #[oai(path = "/organizations/:org/invitations", method = "get", operation_id = "listInvitations")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<InvitationsRead>,
        /// Maximum number of items per page.
        limit: Query<Option<Limit>>,
        /// `next_cursor` of the previous page. Without it, the first page is returned.
        cursor: Query<Option<Cursor>>,
        /// Sort order of the list. The default is `created_at`.
        sort: Query<Option<InvitationSort>>,
        /// Only invitations with this status.
        status: Query<Option<InvitationStatusName>>,
    ) -> Result<PageResponse<Invitation>> {
        let status = status.0.map(InvitationStatus::from);
        let sort = sort.0.unwrap_or(InvitationSort::ascending(InvitationKey::CreatedAt));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &status), (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = invitations::list(&tx, status, paging.listing.clone()).await?;
        Ok(paging.reply(page, |shown| Invitation::of(shown, tx.now())))
    }

    /// Create an invitation
    ///
    /// Sends an e-mail with a link to join the organization with these roles. The invited person can join
    /// with an existing account or create one. You cannot grant permissions that you do not have
    /// (`ESCALATION`). A member cannot be invited (`ALREADY_MEMBER`), nor an e-mail address that has a
    /// pending invitation (`INVITATION_PENDING`).
    #[oai(path = "/organizations/:org/invitations", method = "post", operation_id = "createInvitation")]
    async fn create(
        &self,
        org: tenant::Path<MembersInvite>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<InvitationCreate>,
    ) -> Result<CreatedResponse<Invitation>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewInvitation::try_from(draft.value)?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let outcome = invitations::invite(&tx, &self.0.mail, vec![new]).await?.pop();
        let invitation =
            Invitation::of(outcome.ok_or(Error::Internal("an invitation has no outcome"))??, tx.now());
        let location =
            format!("/api/v1/organizations/{}/invitations/{}", invitation.organization_id, invitation.id);
        let answer = CreatedResponse::created(location, EntityTag(invitation.version), &invitation)?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Create several invitations
    ///
    /// Creates up to 100 invitations and sends an e-mail for each. Each invitation is handled
    /// separately; one failure does not stop the others. `status` of each result is the HTTP status that
    /// a request of its own would have got.
    #[oai(path = "/organizations/:org/invitations/bulk", method = "post", operation_id = "createInvitations")]
    async fn create_several(
        &self,
        request: &Request,
        org: tenant::Path<MembersInvite>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        drafts: StrictJson<InvitationBatchCreate>,
    ) -> Result<BulkResponse<InvitationOutcomes>> {
        let once = key.once(org.0.origin(), &drafts);
        let emails: Vec<_> = drafts.value.invitations.iter().map(|draft| draft.email.clone()).collect();
        let mut parsed: Vec<_> = drafts.value.invitations.into_iter().map(NewInvitation::try_from).collect();
        let (inviter, organization) = (org.0.origin().actor.user(), org.0.org());
        let inviter = inviter.ok_or(Error::Internal("an invitation has no sender"))?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(BulkResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        for new in parsed.iter_mut().filter(|new| new.is_ok()) {
            // Each invitation is an e-mail. Those above the limit are refused one by one.
            if let Err(refused) = rate_limit::by_invitation(&self.0, request, inviter, organization).await {
                *new = Err(refused);
            }
        }
        let sound = parsed.iter().filter_map(|new| new.as_ref().ok().cloned()).collect();
        let mut sent = invitations::invite(&tx, &self.0.mail, sound).await?.into_iter();
        let mut data = Vec::with_capacity(emails.len());
        for (email, new) in emails.into_iter().zip(parsed) {
            let lost = || Err(Error::Internal("an invitation has no outcome"));
            let outcome = new.and_then(|_| sent.next().unwrap_or_else(lost));
            data.push(InvitationOutcome::of(email, outcome.map(|shown| Invitation::of(shown, tx.now()))));
        }
        let is_any = data.iter().any(|outcome| outcome.invitation.is_some());
        let answer = BulkResponse::new(&InvitationOutcomes { data })?;
        // If all were refused, nothing was changed, and a retry gets the same response.
        if is_any {
            tx.commit_with(answer.stored()).await?;
        }
        Ok(answer)
    }

    /// Get an invitation
    ///
    /// Returns one invitation of the organization, whatever its status.
    #[oai(
        path = "/organizations/:org/invitations/:invitation",
        method = "get",
        operation_id = "getInvitation"
    )]
    async fn get(
        &self,
        org: tenant::Path<InvitationsRead>,
        /// Id of the invitation.
        invitation: Path<Id>,
        /// `ETag` of the version that you have. The response is 304 if it is still current.
        #[oai(name = "If-None-Match")]
        known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Invitation>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = invitations::get(&tx, InvitationId(invitation.0.0)).await?;
        let tag = EntityTag(shown.invitation.version);
        Ok(WithEtag::new(tag, known.0, || Invitation::of(shown, tx.now())))
    }

    /// Resend an invitation
    ///
    /// Sends a new link; the old link no longer works. You become the sender of the invitation, so you must
    /// be able to grant its roles. An expired invitation is valid again.
    #[oai(
        path = "/organizations/:org/invitations/:invitation/resend",
        method = "post",
        operation_id = "resendInvitation"
    )]
    async fn resend(
        &self,
        org: tenant::Path<MembersInvite>,
        /// Id of the invitation.
        invitation: Path<Id>,
    ) -> Result<WithEtag<Invitation>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = invitations::resend(&tx, &self.0.mail, InvitationId(invitation.0.0)).await?;
        let invitation = Invitation::of(shown, tx.now());
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(invitation.version), invitation))
    }

    /// Revoke an invitation
    ///
    /// The link in the e-mail no longer works. An invitation that was answered or has expired cannot be
    /// revoked (`INVITATION_CLOSED`).
    #[oai(
        path = "/organizations/:org/invitations/:invitation",
        method = "delete",
        operation_id = "revokeInvitation"
    )]
    async fn revoke(
        &self,
        org: tenant::Path<MembersInvite>,
        /// Id of the invitation.
        invitation: Path<Id>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        invitations::revoke(&tx, InvitationId(invitation.0.0)).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

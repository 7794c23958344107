//! `/organizations/{org}/invitations`: whom an organization invites.

mod sort;
mod bulk;
pub(crate) mod responses;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    Error,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::InvitationId,
        permissions::{InvitationsRead, MembersInvite},
        text,
    },
    storage::idempotency::IdempotentBegin,
    tenancy::invitations::{self, InvitationDetails, InvitationStatus, NewInvitation},
};
use poem::Request;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use super::{Tag, members::RoleSummary};
use crate::{
    auth::tenant,
    body::StrictJson,
    http::{
        BulkResponse, CreatedResponse, Cursor, DisplayName, Email, EntityTag, Id, IdempotencyKey,
        IfNoneMatch, Limit, ListRequest, NoContent, PageResponse, WithEtag,
    },
    middleware::rate_limit,
    problem::Result,
    state::State,
};
use bulk::{InvitationOutcome, InvitationOutcomes};
use sort::InvitationSort;

pub struct InvitationsApi(pub Arc<State>);

crate::texts! {
    /// A role of the organization, by its key or its id.
    RoleName { length: 1..=50, example: "member" }
    /// An e-mail address as it is given: of several invitations, a wrong one is an outcome of its own.
    GivenEmail { length: 3..=text::EmailAddress::MAX, example: "ada@example.com" }
}

/// A new invitation.
#[derive(Object)]
struct InvitationCreate {
    /// Whom to invite.
    email: GivenEmail,
    /// What he will hold there; nobody gives more than he holds himself. None makes a member who may do nothing yet.
    #[oai(validator(max_items = 20))]
    roles: Vec<RoleName>,
}

/// New invitations, each with an outcome of its own.
#[derive(Object)]
struct InvitationBatchCreate {
    /// Up to a hundred.
    #[oai(validator(min_items = 1, max_items = 100))]
    invitations: Vec<InvitationCreate>,
}

/// An invitation into an organization. Its token is in the mail alone.
#[derive(Object, Serialize)]
struct Invitation {
    /// The invitation; the same, however often it is sent.
    id: Uuid,
    /// Into which organization.
    organization_id: Uuid,
    /// Who is invited.
    email: Email,
    /// Where it stands.
    status: Standing,
    /// What he will hold.
    roles: Vec<RoleSummary>,
    /// Who invites.
    invited_by: Inviter,
    /// Until when it can be accepted.
    expires_at: DateTime<Utc>,
    /// How often it was sent again.
    resend_count: i32,
    /// Counts its changes; the `ETag`.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// Who invites.
#[derive(Object, Serialize)]
struct Inviter {
    /// His membership; `null`: an operator of the platform.
    #[oai(nullable)]
    member_id: Option<Uuid>,
    /// What he is called.
    display_name: DisplayName,
}

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "InvitationStatus")]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// Nobody has answered yet.
    Pending,
    /// Whoever was invited joined by it.
    Accepted,
    /// Whoever was invited said no.
    Declined,
    /// The organization took it back.
    Revoked,
    /// Nobody answered in time; it can be sent again.
    Expired,
}

#[OpenApi(tag = "Tag::Invitations")]
impl InvitationsApi {
    /// List the invitations
    #[oai(path = "/organizations/:org/invitations", method = "get", operation_id = "listInvitations")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<InvitationsRead>,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<InvitationSort>>,
        /// Only those that stand there.
        status: Query<Option<Standing>>,
    ) -> Result<PageResponse<Invitation>> {
        let status = status.0.map(InvitationStatus::from);
        let sort = sort.0.unwrap_or(InvitationSort::CreatedAt).into();
        let list = format!("listInvitations {} {sort:?} {status:?}", org.0.org());
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = invitations::list(&tx, status, paging.listing.clone()).await?;
        Ok(paging.reply(page, |shown| Invitation::of(shown, tx.now())))
    }

    /// Invite somebody
    ///
    /// He gets a mail with a link, by which he joins with these roles, whether he has an account or not.
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
            Invitation::of(outcome.ok_or(Error::Broken("an invitation has no outcome"))??, tx.now());
        let location =
            format!("/api/v1/organizations/{}/invitations/{}", invitation.organization_id, invitation.id);
        let answer = CreatedResponse::created(location, EntityTag(invitation.version), &invitation)?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Invite several people
    ///
    /// Up to a hundred. What is refused to one is granted to the others: `status` of each says what it would have got by
    /// itself.
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
        let inviter = inviter.ok_or(Error::Broken("nobody invites"))?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(BulkResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        for new in parsed.iter_mut().filter(|new| new.is_ok()) {
            // Each is a mail; those that are too many are refused one by one.
            if let Err(refused) = rate_limit::by_invitation(&self.0, request, inviter, organization).await {
                *new = Err(refused);
            }
        }
        let sound = parsed.iter().filter_map(|new| new.as_ref().ok().cloned()).collect();
        let mut sent = invitations::invite(&tx, &self.0.mail, sound).await?.into_iter();
        let mut data = Vec::with_capacity(emails.len());
        for (email, new) in emails.into_iter().zip(parsed) {
            let lost = || Err(Error::Broken("an invitation has no outcome"));
            let outcome = new.and_then(|_| sent.next().unwrap_or_else(lost));
            data.push(InvitationOutcome::of(email, outcome.map(|shown| Invitation::of(shown, tx.now()))));
        }
        let is_any = data.iter().any(|outcome| outcome.invitation.is_some());
        let answer = BulkResponse::new(&InvitationOutcomes { data })?;
        // Where all were refused nothing was done, and whoever asks again is told the same.
        if is_any {
            tx.commit_with(answer.stored()).await?;
        }
        Ok(answer)
    }

    /// Look at an invitation
    #[oai(
        path = "/organizations/:org/invitations/:invitation",
        method = "get",
        operation_id = "getInvitation"
    )]
    async fn get(
        &self,
        org: tenant::Path<InvitationsRead>,
        invitation: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Invitation>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = invitations::get(&tx, InvitationId(invitation.0.0)).await?;
        let tag = EntityTag(shown.invitation.version);
        Ok(WithEtag::new(tag, known.0, || Invitation::of(shown, tx.now())))
    }

    /// Send an invitation again
    ///
    /// By a new link; the old one is worth nothing. Whoever sends it invites from now on. One that has expired lives again.
    #[oai(
        path = "/organizations/:org/invitations/:invitation/resend",
        method = "post",
        operation_id = "resendInvitation"
    )]
    async fn resend(
        &self,
        org: tenant::Path<MembersInvite>,
        invitation: Path<Id>,
    ) -> Result<WithEtag<Invitation>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = invitations::resend(&tx, &self.0.mail, InvitationId(invitation.0.0)).await?;
        let invitation = Invitation::of(shown, tx.now());
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(invitation.version), invitation))
    }

    /// Take an invitation back
    ///
    /// Its link is worth nothing from then on.
    #[oai(
        path = "/organizations/:org/invitations/:invitation",
        method = "delete",
        operation_id = "revokeInvitation"
    )]
    async fn revoke(&self, org: tenant::Path<MembersInvite>, invitation: Path<Id>) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        invitations::revoke(&tx, InvitationId(invitation.0.0)).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

impl TryFrom<InvitationCreate> for NewInvitation {
    type Error = Error;

    fn try_from(draft: InvitationCreate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let email = fields.parse("email", text::EmailAddress::parse(&draft.email.0));
        fields.into_result()?;
        let roles = draft.roles.into_iter().map(String::from).collect();
        email.map(|email| Self { email, roles }).ok_or(ErrorCode::ValidationFailed.refuse())
    }
}

impl Invitation {
    /// As it is at the instant `now`.
    fn of(InvitationDetails { invitation, inviter, roles }: InvitationDetails, now: DateTime<Utc>) -> Self {
        Self {
            id: invitation.id.0,
            organization_id: invitation.organization_id.0,
            status: invitation.status_at(now).into(),
            email: Email(invitation.email),
            roles: roles.into_iter().map(RoleSummary::from).collect(),
            invited_by: Inviter {
                member_id: invitation.invited_by.map(|member| member.0),
                display_name: DisplayName(inviter.display_name()),
            },
            expires_at: invitation.expires_at,
            resend_count: invitation.resend_count,
            version: invitation.version,
            created_at: invitation.created_at,
            updated_at: invitation.updated_at,
        }
    }
}

impl From<InvitationStatus> for Standing {
    fn from(status: InvitationStatus) -> Self {
        match status {
            InvitationStatus::Pending => Self::Pending,
            InvitationStatus::Accepted => Self::Accepted,
            InvitationStatus::Declined => Self::Declined,
            InvitationStatus::Revoked => Self::Revoked,
            InvitationStatus::Expired => Self::Expired,
        }
    }
}

impl From<Standing> for InvitationStatus {
    fn from(status: Standing) -> Self {
        match status {
            Standing::Pending => Self::Pending,
            Standing::Accepted => Self::Accepted,
            Standing::Declined => Self::Declined,
            Standing::Revoked => Self::Revoked,
            Standing::Expired => Self::Expired,
        }
    }
}

//! `/invitations`: operations of the invited person. The token of the e-mailed link is the proof.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    Error,
    base::{crypto::Secret, error::FieldErrors, ids::MemberId, text},
    identity::credentials::Passwords,
    lifecycle::accounts::{self, NewAccountDetails},
    tenancy::invitations::{self, InvitationView, InvitedAccount},
};
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::{
    Tag,
    auth::{
        email_links::{EmailLinkToken, LinkToken},
        registration,
    },
    members::RoleSummary,
    organizations::Organization,
};
use crate::{
    auth::extractors::{self, Anonymous},
    body::StrictJson,
    http::{DisplayName, Email, JsonResponse, Name, Password, Sentence, Slug},
    problem::{Result, WithLinkErrors},
    state::AppState,
};

pub struct InvitationResponsesApi(pub Arc<AppState>);

/// An organization, as an invited person sees it.
#[derive(Object, Serialize)]
pub(crate) struct OrganizationSummary {
    /// Unique id of the organization.
    id: Uuid,
    /// Short name of the organization in URLs.
    slug: Slug,
    /// Name of the organization, for display.
    name: Name,
}

/// An invitation, as the invited person sees it.
#[derive(Object, Serialize)]
pub(crate) struct MyInvitation {
    /// Unique id of the invitation.
    id: Uuid,
    /// The organization to join.
    organization: OrganizationSummary,
    /// Display name of the sender.
    inviter: DisplayName,
    /// E-mail address of the invited person.
    email: Email,
    /// Roles that the invited person gets.
    roles: Vec<RoleSummary>,
    /// When the invitation expires. It cannot be accepted after that.
    expires_at: DateTime<Utc>,
    /// When the invitation was created.
    created_at: DateTime<Utc>,
}

/// An invitation, and what is needed to accept it.
#[derive(Object, Serialize)]
struct InvitationPreview {
    /// The invitation of the link.
    invitation: MyInvitation,
    /// Whether the e-mail address already has an account.
    has_account: bool,
    /// Whether a password must be chosen to accept. This is so if there is no account, or if the e-mail
    /// address of the account is not verified.
    needs_password: bool,
}

/// Acceptance of an invitation.
#[derive(Object)]
struct InvitationAcceptance {
    /// Token from the fragment of the link's URL.
    token: LinkToken,
    /// Password to log in with, required if the preview says `needs_password`. Ignored otherwise.
    #[oai(nullable)]
    password: Option<Password>,
    /// Given name, for a new account.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name, for a new account.
    #[oai(nullable)]
    last_name: Option<Name>,
}

/// The new membership, and the next step.
#[derive(Object, Serialize)]
pub(crate) struct InvitationAccepted {
    /// The organization that was joined.
    organization: Organization,
    /// Id of the new membership.
    member_id: Uuid,
    /// Roles of the new member.
    roles: Vec<RoleSummary>,
    /// E-mail address of the member, which is now verified.
    email: Email,
    /// The next step of the user.
    next: NextStep,
    /// The next step, as a message for the user.
    message: Sentence,
}

/// What the user does after accepting an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum NextStep {
    /// Go on, because the user is logged in.
    Continue,
    /// Log in to the account.
    LogIn,
}

/// Confirmation that an invitation was declined.
#[derive(Object, Serialize)]
pub(crate) struct InvitationDeclined {
    /// Confirmation, as a message for the user.
    message: Sentence,
}

#[OpenApi(tag = "Tag::Invitations")]
impl InvitationResponsesApi {
    /// Preview an invitation
    ///
    /// Returns the invitation for the token of an e-mailed link. Only the recipient of the
    /// e-mail has the token, so the response also tells whether the e-mail address has an account.
    #[oai(path = "/invitations/preview", method = "post", operation_id = "previewInvitation")]
    async fn preview(
        &self,
        _anybody: Anonymous,
        link: StrictJson<EmailLinkToken>,
    ) -> Result<JsonResponse<InvitationPreview>, WithLinkErrors> {
        let (_, opened, account) = invitations::open(&self.0.db, &link.value.token.0).await?;
        Ok(JsonResponse(InvitationPreview {
            invitation: opened.into(),
            has_account: account != InvitedAccount::None,
            needs_password: account != InvitedAccount::Verified,
        }))
    }

    /// Accept an invitation
    ///
    /// You need not be logged in, because the token was sent to the invited e-mail address. If you are logged
    /// in, your account must have the invited e-mail address. If the address has no account, one is created
    /// with `password`. If it has a verified account, that account joins the organization. If it has an
    /// unverified account, `password` replaces the old password, and every session of the account ends.
    #[oai(path = "/invitations/accept", method = "post", operation_id = "acceptInvitation")]
    async fn accept(
        &self,
        request: &Request,
        anybody: Anonymous,
        acceptance: StrictJson<InvitationAcceptance>,
    ) -> Result<JsonResponse<InvitationAccepted>, WithLinkErrors<409, 401>> {
        let AppState { db, passwords, .. } = &*self.0;
        let me = extractors::optional(&self.0, request).await?;
        // The token first: without a valid one, no password is hashed.
        let (link, opened, account) = invitations::open(db, &acceptance.value.token.0).await?;
        let newcomer = acceptance.value.newcomer(passwords, account, &opened).await?;
        // If the e-mail address is not verified, the session may belong to another person.
        let signed_in = me.as_ref().filter(|me| me.user.email_verified_at.is_some());
        let origin = signed_in.map_or(anybody.origin, |me| me.caller.origin());
        let mut tx = db.begin_global(origin).await?;
        let me = me.as_ref().map(|me| &me.user);
        let (user, member) = accounts::accept(&mut tx, &link, &opened, me, newcomer).await?;
        tx.commit().await?;
        let next = if signed_in.is_some() { NextStep::Continue } else { NextStep::LogIn };
        Ok(JsonResponse(InvitationAccepted::new(opened, member.id, user.email, (next, account))))
    }

    /// Decline an invitation
    ///
    /// Declines the invitation with the token of the e-mailed link. No authentication is needed. The link no
    /// longer works after that.
    #[oai(path = "/invitations/decline", method = "post", operation_id = "declineInvitation")]
    async fn decline(
        &self,
        anybody: Anonymous,
        link: StrictJson<EmailLinkToken>,
    ) -> Result<JsonResponse<InvitationDeclined>, WithLinkErrors> {
        let (link, opened, _) = invitations::open(&self.0.db, &link.value.token.0).await?;
        let tx = self.0.db.begin_global(anybody.origin).await?;
        accounts::decline(&tx, &link, &opened).await?;
        tx.commit().await?;
        let message = "You have declined the invitation. You can close this page.".to_owned();
        Ok(JsonResponse(InvitationDeclined::new(message)))
    }
}

impl InvitationAcceptance {
    /// The data of a new account, if a password is needed and was sent.
    async fn newcomer(
        self,
        passwords: &Passwords,
        account: InvitedAccount,
        opened: &InvitationView,
    ) -> Result<Option<NewAccountDetails>, Error> {
        let mut fields = FieldErrors::default();
        let password = self.password.filter(|_| account != InvitedAccount::Verified);
        let password = password.map(|password| Secret::new(password.0));
        if let Some(password) = &password {
            registration::refuse_weak(&mut fields, password, &Email(opened.invitation.email.clone()), None)?;
        }
        let mut name = |field, name: Option<Name>| {
            fields.parse_optional(field, name.map(|name| text::Name::parse(&name.0)))
        };
        let (first_name, last_name) =
            (name("first_name", self.first_name), name("last_name", self.last_name));
        fields.into_result()?;
        let Some(password) = password else { return Ok(None) };
        Ok(Some(NewAccountDetails { secret_hash: passwords.hash(password).await?, first_name, last_name }))
    }
}

impl InvitationAccepted {
    /// The response to a signed-in user, who needs no further step.
    pub(super) fn signed_in(opened: InvitationView, member: MemberId, email: String) -> Self {
        Self::new(opened, member, email, (NextStep::Continue, InvitedAccount::Verified))
    }

    fn new(
        opened: InvitationView,
        member: MemberId,
        email: String,
        (next, account): (NextStep, InvitedAccount),
    ) -> Self {
        Self {
            message: next.sentence(account, &opened.organization.name),
            organization: opened.organization.into(),
            member_id: member.0,
            roles: opened.roles.into_iter().map(RoleSummary::from).collect(),
            email: Email(email),
            next,
        }
    }
}

impl InvitationDeclined {
    /// `message`: what the user reads.
    pub(super) fn new(message: String) -> Self {
        Self { message: Sentence(message) }
    }
}

impl NextStep {
    fn sentence(self, account: InvitedAccount, organization: &str) -> Sentence {
        Sentence(match (self, account) {
            (Self::Continue, _) => format!("You are now a member of {organization}."),
            (Self::LogIn, InvitedAccount::Verified) => {
                format!("You are now a member of {organization}. Log in with your existing account.")
            }
            (Self::LogIn, _) => {
                format!(
                    "You are now a member of {organization}. Log in with your e-mail address and the password you chose."
                )
            }
        })
    }
}

impl From<InvitationView> for MyInvitation {
    fn from(InvitationView { invitation, organization, inviter, roles }: InvitationView) -> Self {
        Self {
            id: invitation.id.0,
            organization: OrganizationSummary {
                id: organization.id.0,
                slug: Slug(organization.slug),
                name: Name(organization.name),
            },
            inviter: DisplayName(inviter.display_name()),
            email: Email(invitation.email),
            roles: roles.into_iter().map(RoleSummary::from).collect(),
            expires_at: invitation.expires_at,
            created_at: invitation.created_at,
        }
    }
}

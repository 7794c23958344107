//! `/invitations`, `/users/me/invitations`: what whoever is invited does. The token of the mailed link is the proof.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    Error,
    base::{crypto::Secret, error::FieldErrors, pagination::Sort, text},
    identity::credentials::Passwords,
    lifecycle::accounts::{self, NewAccountDetails},
    tenancy::invitations::{self, InvitationKey, InvitationView, InvitedAccount},
};
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi, param::Query};
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
    auth::extractors::{self, Anonymous, SignedIn},
    body::StrictJson,
    http::{
        Cursor, DisplayName, Email, JsonResponse, Limit, ListRequest, Name, PageResponse, Password, Sentence,
        Slug,
    },
    problem::{Result, WithLinkErrors},
    state::State,
};

pub struct InvitationResponsesApi(pub Arc<State>);

/// An organization, as strangers see it who are invited.
#[derive(Object, Serialize)]
struct OrganizationSummary {
    /// The organization.
    id: Uuid,
    /// Its address in URLs.
    slug: Slug,
    /// Its name, for people.
    name: Name,
}

/// An invitation, as whoever is invited sees it.
#[derive(Object, Serialize)]
struct MyInvitation {
    /// The invitation.
    id: Uuid,
    /// Into which organization.
    organization: OrganizationSummary,
    /// Who invites.
    inviter: DisplayName,
    /// Who is invited.
    email: Email,
    /// What he will hold there.
    roles: Vec<RoleSummary>,
    /// Until when it can be accepted.
    expires_at: DateTime<Utc>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// An invitation, and what accepting it takes.
#[derive(Object, Serialize)]
struct InvitationPreview {
    /// The invitation.
    invitation: MyInvitation,
    /// Has the address an account already?
    has_account: bool,
    /// Must a password be chosen to accept it? So where there is no account, or where nobody has proved yet that its
    /// address is his.
    needs_password: bool,
}

/// A yes to an invitation.
#[derive(Object)]
struct InvitationAcceptance {
    /// What stands in the fragment of the mailed link.
    token: LinkToken,
    /// To log in with, where the address has no account yet; elsewhere it is not looked at.
    #[oai(nullable)]
    password: Option<Password>,
    /// Given name, for a new account.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name, for a new account.
    #[oai(nullable)]
    last_name: Option<Name>,
}

/// What somebody has joined, and what he does next.
#[derive(Object, Serialize)]
struct InvitationAccepted {
    /// The organization.
    organization: Organization,
    /// His membership.
    member_id: Uuid,
    /// What he holds there.
    roles: Vec<RoleSummary>,
    /// His address, which is verified now.
    email: Email,
    /// What he does next.
    next: NextStep,
    /// The same, for people.
    message: Sentence,
}

/// What somebody does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum NextStep {
    /// Go on: he is signed in.
    Continue,
    /// Log in.
    LogIn,
}

/// That an invitation was declined.
#[derive(Object, Serialize)]
struct InvitationDeclined {
    /// What follows, for people.
    message: Sentence,
}

#[OpenApi(tag = "Tag::Invitations")]
impl InvitationResponsesApi {
    /// Look at an invitation by its token
    ///
    /// Whoever has the token has the mailbox, so he is told whether it has an account.
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
            needs_password: account != InvitedAccount::Proved,
        }))
    }

    /// Accept an invitation
    ///
    /// Nobody need be signed in: the token proves the mailbox. Whoever is must be signed in with the invited address.
    /// Where it has no account, one is opened with `password`; where it has one, whoever the mailbox belongs to joins with
    /// it. An account whose address nobody has proved gets `password`, and loses the one it had and every session.
    #[oai(path = "/invitations/accept", method = "post", operation_id = "acceptInvitation")]
    async fn accept(
        &self,
        request: &Request,
        anybody: Anonymous,
        acceptance: StrictJson<InvitationAcceptance>,
    ) -> Result<JsonResponse<InvitationAccepted>, WithLinkErrors<409, 401>> {
        let State { db, passwords, .. } = &*self.0;
        let me = extractors::if_any(&self.0, request).await?;
        // First: whoever has no token shall not make us hash.
        let (link, opened, account) = invitations::open(db, &acceptance.value.token.0).await?;
        let newcomer = acceptance.value.newcomer(passwords, account, &opened).await?;
        // A session of an account whose address is not proved may be anybody's.
        let signed_in = me.as_ref().filter(|me| me.user.email_verified_at.is_some());
        let origin = signed_in.map_or(anybody.origin, |me| me.caller.origin());
        let mut tx = db.begin_global(origin).await?;
        let me = me.as_ref().map(|me| &me.user);
        let (user, member) = accounts::accept(&mut tx, &link, &opened, me, newcomer).await?;
        tx.commit().await?;
        let next = if signed_in.is_some() { NextStep::Continue } else { NextStep::LogIn };
        let message = next.sentence(account, &opened.organization.name);
        Ok(JsonResponse(InvitationAccepted {
            organization: opened.organization.into(),
            member_id: member.id.0,
            roles: opened.roles.into_iter().map(RoleSummary::from).collect(),
            email: Email(user.email),
            next,
            message,
        }))
    }

    /// Decline an invitation
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
        let message = Sentence("You have declined the invitation. You can close this page.".to_owned());
        Ok(JsonResponse(InvitationDeclined { message }))
    }

    /// List my invitations
    ///
    /// Those for my address that wait for an answer. Each is answered by the link that was mailed.
    #[oai(
        path = "/users/me/invitations",
        method = "get",
        operation_id = "listMyInvitations",
        tag = "Tag::Me"
    )]
    async fn mine(
        &self,
        request: &Request,
        me: SignedIn,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
    ) -> Result<PageResponse<MyInvitation>> {
        let list = format!("listMyInvitations {}", me.user.id);
        let oldest_first = Sort { key: InvitationKey::CreatedAt, descending: false };
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, oldest_first, cursor.0))?;
        let page = invitations::list_for_recipient(&self.0.db, &me.user, paging.listing.clone()).await?;
        Ok(paging.reply(page, MyInvitation::from))
    }
}

impl InvitationAcceptance {
    /// Who comes, where he needs a password and has chosen one.
    async fn newcomer(
        self,
        passwords: &Passwords,
        account: InvitedAccount,
        opened: &InvitationView,
    ) -> Result<Option<NewAccountDetails>, Error> {
        let mut fields = FieldErrors::default();
        let password = self.password.filter(|_| account != InvitedAccount::Proved);
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

impl NextStep {
    fn sentence(self, account: InvitedAccount, organization: &str) -> Sentence {
        Sentence(match (self, account) {
            (Self::Continue, _) => format!("You are now a member of {organization}."),
            (Self::LogIn, InvitedAccount::Proved) => {
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

//! `/users/me/context`: everything that a client needs before it shows its first page.

use std::sync::Arc;

use insula_core::{
    Error,
    base::permissions::{self, Authorized},
    identity::users,
    lifecycle::user_context,
    tenancy::organizations::OrgRef,
};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use super::{
    me::{User, UserSession},
    my_organizations::MyMembership,
};
use crate::routes::{
    Tag,
    auth::sessions::CsrfToken,
    invitations::responses::MyInvitation,
    members::RoleSummary,
    organizations::{Organization, settings::OrganizationSettings, transfers::Transfer},
    work::time_entries::{TimeEntry, period_lock::OrganizationPeriodLock},
};
use crate::{
    auth::extractors::{SignedIn, TokenSource},
    http::{JsonResponse, OrganizationName, Permission},
    problem::{ProblemWith, Result},
    state::AppState,
};

pub struct ContextApi(pub Arc<AppState>);

/// The signed-in user, and what belongs to them.
#[derive(Object, Serialize)]
struct UserContext {
    /// Your account.
    user: User,
    /// The session of this request.
    session: UserSession,
    /// The CSRF token of the session. `null` if the access token was not sent in a cookie.
    #[oai(nullable)]
    csrf_token: Option<CsrfToken>,
    /// Your memberships, oldest first. If there are 100, there can be more: see `listMyOrganizations`.
    organizations: Vec<MyMembership>,
    /// Pending invitations for your verified e-mail address, oldest first. If there are 100, there can be
    /// more: see `listMyInvitations`.
    invitations: Vec<MyInvitation>,
    /// Pending transfers of organizations that you can accept.
    transfers: Vec<Transfer>,
    /// The organization that was asked for. `null` if none was.
    #[oai(nullable)]
    organization: Option<OrganizationContext>,
}

/// An organization, and what you can see and do in it.
#[derive(Object, Serialize)]
struct OrganizationContext {
    /// The organization, with its current slug.
    organization: Organization,
    /// Your member id. `null` for superusers with `X-Platform-Access`.
    #[oai(nullable)]
    member_id: Option<Uuid>,
    /// Your roles. Empty for superusers with `X-Platform-Access`.
    roles: Vec<RoleSummary>,
    /// Your permissions.
    permissions: Vec<Permission>,
    /// The settings. `null` without `organization:read`.
    #[oai(nullable)]
    settings: Option<OrganizationSettings>,
    /// The period lock. `null` without `time_entries:read`.
    #[oai(nullable)]
    period_lock: Option<OrganizationPeriodLock>,
    /// Your running time entry. `null` if no timer is running, or without `time_entries:read`.
    #[oai(nullable)]
    timer: Option<TimeEntry>,
}

#[OpenApi(tag = "Tag::Me")]
impl ContextApi {
    /// Get your context
    ///
    /// Returns what a client needs to start, in one response: your account, session, organizations,
    /// invitations and transfers. With `organization`, it also returns your permissions there, the settings,
    /// the period lock and your timer. A former slug works too. This also works for superusers who are not
    /// members and send `X-Platform-Access`.
    #[oai(path = "/users/me/context", method = "get", operation_id = "getMyContext")]
    async fn get(
        &self,
        me: SignedIn,
        /// An organization, by id or slug.
        organization: Query<Option<OrganizationName>>,
    ) -> Result<JsonResponse<UserContext>, ProblemWith<404, 410>> {
        let AppState { db, callers, csrf, .. } = &*self.0;
        let session = me.caller.claims.session;
        let organization = match organization.0 {
            None => None,
            Some(name) => {
                let tx = db.begin(self.proof(&me, &name.0).await?).await?;
                Some(user_context::of_organization(&tx).await?.into())
            }
        };
        let default_organization_id = callers.default_organization(&me.user).await?;
        let user = users::User { default_organization_id, ..me.user };
        let context = user_context::of_user(db, &user, session).await?;
        let has_cookie = me.source == TokenSource::Cookie;
        Ok(JsonResponse(UserContext {
            user: user.into(),
            session: UserSession::new(context.session, session),
            csrf_token: has_cookie.then(|| CsrfToken(csrf.issue(session))),
            organizations: context.organizations.into_iter().map(MyMembership::from).collect(),
            invitations: context.invitations.into_iter().map(MyInvitation::from).collect(),
            transfers: context.transfers.into_iter().map(Transfer::from).collect(),
            organization,
        }))
    }
}

impl ContextApi {
    /// The proof that the caller is a member of the organization with this id, slug or former slug.
    async fn proof(&self, me: &SignedIn, name: &str) -> Result<Authorized<permissions::Membership>, Error> {
        match self.0.callers.authorize(&me.caller, &OrgRef::parse(name)).await {
            Err(Error::Moved(slug)) => self.0.callers.authorize(&me.caller, &OrgRef::Slug(slug)).await,
            proof => proof,
        }
    }
}

impl From<user_context::OrganizationContext> for OrganizationContext {
    fn from(context: user_context::OrganizationContext) -> Self {
        let permissions = context.permissions.iter().map(|permission| Permission(permission.to_string()));
        Self {
            organization: context.organization.into(),
            member_id: context.member.map(|member| member.0),
            roles: context.roles.iter().cloned().map(RoleSummary::from).collect(),
            permissions: permissions.collect(),
            settings: context.settings.map(OrganizationSettings::from),
            period_lock: context.period_lock.map(OrganizationPeriodLock::from),
            timer: context.timer.map(TimeEntry::from),
        }
    }
}

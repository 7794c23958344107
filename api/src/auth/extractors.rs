//! Authentication: the token of a header or a cookie, verified.

use std::sync::Arc;

use insula_core::{
    base::{
        error::{Error, ErrorCode},
        permissions::{Actor, AuditOrigin},
        text::InvalidText,
    },
    identity::{
        sessions::{self, LoginDevice},
        users::User,
    },
    runtime::telemetry::traces,
    storage::audit::RequestTrail,
    tenancy::authorization::Caller,
};
use poem::{
    FromRequest, Request, RequestBody,
    http::{HeaderName, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{
    auth::context::{request_info, state, trail},
    middleware::{access_log::Subject, rate_limit},
    operations::{Operation, check_query},
    problem::Problem,
    state::AppState,
};

/// The names of the authentication schemes in the document.
pub const SCHEMES: [&str; 2] = ["bearer", "cookie"];

/// The header with the CSRF token of a browser page.
const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// The header in which a superuser gives the reason for access to an organization.
pub const X_PLATFORM_ACCESS: HeaderName = HeaderName::from_static("x-platform-access");

/// Adds the authentication schemes to the document.
pub fn register_schemes(registry: &mut Registry) {
    let [bearer, cookie] = SCHEMES;
    let scheme = |ty, description| MetaSecurityScheme {
        ty,
        description: Some(description),
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    let header =
        "The access token from `POST /auth/login`. If both are sent, it takes precedence over the cookie.";
    registry.create_security_scheme(
        bearer,
        MetaSecurityScheme { scheme: Some("bearer"), bearer_format: Some("JWT"), ..scheme("http", header) },
    );
    let browser = "The cookie that `POST /auth/login` sets for `transport: cookie`; `__Host-at` with https. Requests with a method that is not safe (RFC 9110 §9.2.1) also need `X-CSRF-Token`, and an `Origin` that is this service or a trusted origin.";
    registry.create_security_scheme(
        cookie,
        MetaSecurityScheme { name: Some("at"), key_in: Some("cookie"), ..scheme("apiKey", browser) },
    );
}

/// How the token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// In the header `Authorization: Bearer …` (RFC 6750).
    Bearer,
    /// In a cookie of a browser.
    Cookie,
}

/// The caller, from the token. The database tells whether the session is still valid.
///
/// # Errors
/// `UNAUTHENTICATED` without a token; `INVALID_TOKEN` with an invalid one; `CSRF_FAILED` if the token is a cookie and
/// another site may have forged the request.
pub(crate) async fn caller(state: &AppState, request: &Request) -> Result<(Caller, TokenSource), Error> {
    let (caller, source) = caller_of(state, request).await?;
    refuse_forged(state, request, &caller, source)?;
    Ok((caller, source))
}

async fn caller_of(state: &AppState, request: &Request) -> Result<(Caller, TokenSource), Error> {
    let (token, source) = match request.headers().contains_key(header::AUTHORIZATION) {
        true => (bearer(request).ok_or(ErrorCode::InvalidToken.refuse())?, TokenSource::Bearer),
        false => {
            (state.cookies.access(request).ok_or(ErrorCode::Unauthenticated.refuse())?, TokenSource::Cookie)
        }
    };
    let claims = state.tokens.verify(token, state.db.now()).await?;
    Subject::note(request, claims.user);
    traces::set_user(claims.user);
    let trail = trail(request);
    trail.set_actor(Actor::User(claims.user), Some(claims.session));
    let caller = Caller {
        claims,
        label: None,
        inquiry: request_info(state, request),
        operation: request.data::<Arc<Operation>>().map_or("", |operation| operation.id),
        needs_verified: state.mail.is_configured,
        step_up: state.policy.step_up,
        // Invalid UTF-8 is replaced, not ignored. So the reason is refused, and the superuser is not treated as a
        // member.
        platform_access: request
            .headers()
            .get(X_PLATFORM_ACCESS)
            .map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned()),
        trail,
    };
    Ok((caller, source))
}

/// Refuses requests that are authenticated by a cookie and that another site may have forged.
///
/// # Errors
/// `CSRF_FAILED`.
fn refuse_forged(
    state: &AppState,
    request: &Request,
    caller: &Caller,
    source: TokenSource,
) -> Result<(), Error> {
    if source == TokenSource::Bearer || request.method().is_safe() {
        return Ok(());
    }
    state.origins.require(request)?;
    let proof = request.headers().get(X_CSRF_TOKEN).and_then(|value| value.to_str().ok());
    let (code, message) = match proof {
        Some(proof) if state.csrf.verify(caller.claims.session, proof) => return Ok(()),
        Some(_) => ("INVALID", "The token is not the one of this session."),
        None => ("REQUIRED", "The token is missing."),
    };
    Err(ErrorCode::CsrfFailed.refuse_field("X-CSRF-Token", InvalidText { code, message: message.to_owned() }))
}

/// The token of the only `Authorization` header. Two headers are refused, because a proxy may
/// have checked the other one.
fn bearer(request: &Request) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The argument of a handler that needs no authentication. Requests from pages of other sites are refused.
pub struct Anonymous {
    /// The origin of the caller's actions, for the audit log.
    pub origin: AuditOrigin,
    /// The device of the caller.
    pub device: LoginDevice,
    /// Records the actor for the audit log.
    pub trail: RequestTrail,
}

impl<'a> FromRequest<'a> for Anonymous {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let state = state(request, body).await?;
        state.origins.refuse_foreign(request).map_err(Problem)?;
        let info = request_info(state, request);
        let device = LoginDevice { ip: info.ip.clone(), user_agent: info.user_agent.clone(), name: None };
        Ok(Self { origin: AuditOrigin::anonymous(info), device, trail: trail(request) })
    }
}

/// The signed-in user, if the request has a token.
///
/// # Errors
/// `INVALID_TOKEN` if a token in the header is invalid; `CSRF_FAILED`.
pub(crate) async fn optional(state: &AppState, request: &Request) -> Result<Option<SignedIn>, Error> {
    let known = async {
        let (caller, source) = caller_of(state, request).await?;
        let user = state.callers.authenticate(&caller.claims).await?;
        // This check is last: a page has no valid CSRF token for a session that has ended.
        refuse_forged(state, request, &caller, source)?;
        Ok(SignedIn::from_parts(user, caller, source))
    };
    let is_silent = !request.headers().contains_key(header::AUTHORIZATION);
    match known.await {
        // A browser sends its cookies even if they are no longer valid.
        Err(Error::Refused(ErrorCode::Unauthenticated | ErrorCode::InvalidToken)) if is_silent => {
            trail(request).set_actor(Actor::Anonymous, None);
            Ok(None)
        }
        known => known.map(Some),
    }
}

/// The argument of a handler that needs authentication, but no organization. The user's e-mail address must
/// be verified if the installation sends e-mail.
pub struct SignedIn {
    /// The signed-in user.
    pub user: User,
    /// The claims of the token, and data about the request.
    pub caller: Caller,
    /// How the token was sent.
    pub source: TokenSource,
}

impl SignedIn {
    fn from_parts(user: User, caller: Caller, source: TokenSource) -> Self {
        caller.trail.set_label(&user.email);
        let caller = Caller { label: Some(user.email.clone()), ..caller };
        Self { user, caller, source }
    }

    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let me = Self::verified(request, body).await?;
        me.count(request, body).await?;
        check_query(request).map_err(Problem)?;
        Ok(me)
    }

    /// The second stage of the rate limits.
    async fn count(&self, request: &Request, body: &mut RequestBody) -> poem::Result<()> {
        let state = state(request, body).await?;
        let counted = rate_limit::by_person_and_organization(state, request, self.user.id, None);
        Ok(counted.await.map_err(Problem)?)
    }

    async fn verified(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let state = state(request, body).await?;
        let me = Self::unverified(state, request).await?;
        me.caller.admit(me.user.email_verified_at.is_some()).map_err(Problem)?;
        Ok(me)
    }

    /// The user, whether their e-mail address is verified or not.
    async fn unverified(state: &AppState, request: &Request) -> poem::Result<Self> {
        let (caller, source) = caller(state, request).await.map_err(Problem)?;
        // Requests that change something do not use the cache.
        let user = match request.method().is_safe() {
            true => state.callers.authenticate_read(&caller.claims).await,
            false => state.callers.authenticate(&caller.claims).await,
        };
        Ok(Self::from_parts(user.map_err(Problem)?, caller, source))
    }
}

/// The argument of the few handlers that do not need a verified e-mail address, such as logout and reading the own
/// account.
pub struct SignedInUnverified(pub SignedIn);

impl SignedInUnverified {
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let me = SignedIn::unverified(state(request, body).await?, request).await?;
        me.count(request, body).await?;
        check_query(request).map_err(Problem)?;
        Ok(Self(me))
    }
}

/// The argument of a handler that needs a recent login (`INSULA_STEP_UP_TTL`). `VERIFIED`: the e-mail address
/// must also be verified, if the installation sends e-mail.
pub struct RecentLogin<const VERIFIED: bool = true>(pub SignedIn);

impl<const VERIFIED: bool> RecentLogin<VERIFIED> {
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let state = state(request, body).await?;
        let (caller, source) = caller(state, request).await.map_err(Problem)?;
        let proved = sessions::authenticate_recent(&state.db, &caller.claims, state.policy.step_up);
        let (user, is_recent) = proved.await.map_err(Problem)?;
        let me = SignedIn::from_parts(user, caller, source);
        me.caller.admit(!VERIFIED || me.user.email_verified_at.is_some()).map_err(Problem)?;
        if !is_recent {
            return Err(Problem(ErrorCode::ReauthRequired.refuse()).into());
        }
        me.count(request, body).await?;
        check_query(request).map_err(Problem)?;
        Ok(Self(me))
    }
}

/// The argument of a handler that is for superusers only.
pub struct SuperuserOnly(pub SignedIn);

impl SuperuserOnly {
    /// 403, not 404: the document lists these paths, so there is nothing to hide.
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let me = SignedIn::verified(request, body).await?;
        if !me.user.is_superuser {
            return Err(Problem(ErrorCode::Forbidden.refuse()).into());
        }
        me.count(request, body).await?;
        check_query(request).map_err(Problem)?;
        Ok(Self(me))
    }
}

impl SuperuserOnly {
    /// The origin of the superuser's actions: audit logs of organizations show a superuser as the actor,
    /// who need not be a member.
    pub fn origin(&self) -> AuditOrigin {
        AuditOrigin { actor: Actor::Superuser(self.0.user.id), ..self.0.caller.origin() }
    }

    /// Checks in the database that the caller is still a superuser; called for each item of a bulk request.
    ///
    /// # Errors
    /// `INVALID_TOKEN`, `FORBIDDEN`.
    pub async fn verify_superuser(&self, state: &AppState) -> Result<(), Error> {
        let user = state.callers.authenticate(&self.0.caller.claims).await?;
        match user.is_superuser {
            true => Ok(()),
            false => Err(ErrorCode::Forbidden.refuse()),
        }
    }
}

/// Implements the extractors and documents that they need authentication.
macro_rules! extractors { ($($name:ident $(<const $flag:ident>)?),+) => {$(
    impl<'a $(, const $flag: bool)?> ApiExtractor<'a> for $name $(<$flag>)? {
        const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

        type ParamType = ();
        type ParamRawType = ();

        fn register(registry: &mut Registry) {
            register_schemes(registry);
        }

        fn security_schemes() -> Vec<&'static str> {
            SCHEMES.to_vec()
        }

        async fn from_request(
            request: &'a Request,
            body: &mut RequestBody,
            _: ExtractParamOptions<()>,
        ) -> poem::Result<Self> {
            Self::of(request, body).await
        }
    }
)+}}
extractors!(SignedIn, SignedInUnverified, RecentLogin<const VERIFIED>, SuperuserOnly);

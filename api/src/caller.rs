//! Who calls: the token of a header or of a cookie, verified.

use std::sync::Arc;

use insula_core::{
    access::{Actor, Origin},
    error::{Code, Error},
    members::Caller,
    sessions::{self, Device},
    users::User,
};
use poem::{
    FromRequest, Request, RequestBody,
    http::{HeaderName, HeaderValue, header},
    web::Data,
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{headers::RequestId, operation::check_query, problem::Problem, state::State, trace::Subject};

/// The ways to sign in, as the document calls them.
pub const SCHEMES: [&str; 2] = ["bearer", "cookie"];

/// Where a page sends its CSRF token.
const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// Tells the document how to sign in.
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
    let header = "The access token that `POST /auth/login` answers with. Where both are sent, it wins over the cookie.";
    registry.create_security_scheme(
        bearer,
        MetaSecurityScheme { scheme: Some("bearer"), bearer_format: Some("JWT"), ..scheme("http", header) },
    );
    let browser = "The cookie that `POST /auth/login` sets for `transport: cookie`; `__Host-at` under https. What is \
                   not safe (RFC 9110 §9.2.1) needs `X-CSRF-Token` too, and must come from a page of ours.";
    registry.create_security_scheme(
        cookie,
        MetaSecurityScheme { name: Some("at"), key_in: Some("cookie"), ..scheme("apiKey", browser) },
    );
}

/// What everybody shares.
pub(crate) async fn state<'a>(request: &'a Request, body: &mut RequestBody) -> poem::Result<&'a Arc<State>> {
    let Data(state) = <Data<&Arc<State>> as FromRequest>::from_request(request, body).await?;
    Ok(state)
}

/// How a token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
    /// A cookie.
    Cookie,
}

/// The caller, as his token says. Whether his session is still good is for the database to say.
///
/// # Errors
/// `UNAUTHENTICATED` without a token; `INVALID_TOKEN` with a bad one; `CSRF_FAILED` where a cookie signs what another
/// page may have forged.
pub(crate) async fn caller(state: &State, request: &Request) -> Result<(Caller, Carrier), Error> {
    let (caller, carrier) = named(state, request).await?;
    refuse_forged(state, request, &caller, carrier)?;
    Ok((caller, carrier))
}

async fn named(state: &State, request: &Request) -> Result<(Caller, Carrier), Error> {
    let (token, carrier) = match request.headers().get(header::AUTHORIZATION) {
        Some(value) => (bearer(value).ok_or(Code::InvalidToken.refuse())?, Carrier::Bearer),
        None => (state.cookies.access(request).ok_or(Code::Unauthenticated.refuse())?, Carrier::Cookie),
    };
    let claims = state.tokens.verify(token, state.db.now()).await?;
    Subject::note(request, claims.user);
    let request_id = Some(RequestId::of(request).to_string());
    Ok((Caller { claims, request_id, needs_verified: state.mail.is_configured }, carrier))
}

/// Refuses what a browser's cookies sign and another page may have forged.
///
/// # Errors
/// `CSRF_FAILED`.
fn refuse_forged(state: &State, request: &Request, caller: &Caller, carrier: Carrier) -> Result<(), Error> {
    if carrier == Carrier::Bearer || request.method().is_safe() {
        return Ok(());
    }
    state.origins.require(request)?;
    let proof = request.headers().get(X_CSRF_TOKEN).and_then(|value| value.to_str().ok());
    match proof.is_some_and(|proof| state.csrf.verify(caller.claims.session, proof)) {
        true => Ok(()),
        false => Err(Code::CsrfFailed.refuse()),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The argument of a handler that is open to anybody, except to the pages of others.
pub struct Anybody {
    /// Where what he does comes from.
    pub origin: Origin,
    /// With what he asks.
    pub device: Device,
}

impl<'a> FromRequest<'a> for Anybody {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        state(request, body).await?.origins.refuse_foreign(request).map_err(Problem)?;
        let request_id = Some(RequestId::of(request).to_string());
        let peer = request.remote_addr().as_socket_addr();
        let device = Device {
            ip: peer.map(|peer| peer.ip().to_canonical().to_string()),
            user_agent: request.header(header::USER_AGENT).map(str::to_owned),
            name: None,
        };
        Ok(Self { origin: Origin { actor: Actor::Anonymous, session: None, request_id }, device })
    }
}

/// Who is signed in, if anybody says that he is.
///
/// # Errors
/// `INVALID_TOKEN`: whoever sends a token in a header wants to be known by it. `CSRF_FAILED`.
pub(crate) async fn if_any(state: &State, request: &Request) -> Result<Option<SignedIn>, Error> {
    let known = async {
        let (caller, carrier) = named(state, request).await?;
        let user = state.callers.authenticate(&caller.claims).await?;
        // Last: of a session that has ended no page has a CSRF token, and it signs nothing.
        refuse_forged(state, request, &caller, carrier)?;
        Ok(SignedIn { user, caller, carrier })
    };
    let is_silent = !request.headers().contains_key(header::AUTHORIZATION);
    match known.await {
        // A browser sends its cookies whether they are still good or not.
        Err(Error::Refused(Code::Unauthenticated | Code::InvalidToken)) if is_silent => Ok(None),
        known => known.map(Some),
    }
}

/// The argument of a handler that needs somebody signed in, and no organization. His address is verified, where mail can
/// be sent.
pub struct SignedIn {
    /// The person.
    pub user: User,
    /// His token and this request.
    pub caller: Caller,
    /// How the token came.
    pub carrier: Carrier,
}

impl SignedIn {
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let state = state(request, body).await?;
        let (caller, carrier) = caller(state, request).await.map_err(Problem)?;
        // What changes something believes no memory.
        let user = match request.method().is_safe() {
            true => state.callers.recognize(&caller.claims).await,
            false => state.callers.authenticate(&caller.claims).await,
        };
        let user = user.map_err(Problem)?;
        caller.admit(user.email_verified_at.is_some()).map_err(Problem)?;
        check_query(request).map_err(Problem)?;
        Ok(Self { user, caller, carrier })
    }
}

/// The argument of the few handlers for which it does not matter whether the address of who is signed in is verified:
/// looking at oneself, logging out.
pub struct Unverified(pub SignedIn);

impl Unverified {
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let state = state(request, body).await?;
        let (caller, carrier) = caller(state, request).await.map_err(Problem)?;
        let user = state.callers.authenticate(&caller.claims).await.map_err(Problem)?;
        check_query(request).map_err(Problem)?;
        Ok(Self(SignedIn { user, caller, carrier }))
    }
}

/// The argument of a handler that needs somebody who proved who he is a short while ago (`INSULA_STEP_UP_TTL`).
/// `VERIFIED`: and whose address is verified, where mail can be sent.
pub struct Recent<const VERIFIED: bool = true>(pub SignedIn);

impl<const VERIFIED: bool> Recent<VERIFIED> {
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let state = state(request, body).await?;
        let (caller, carrier) = caller(state, request).await.map_err(Problem)?;
        let proved = sessions::authenticate_recent(&state.db, &caller.claims, state.policy.step_up);
        let (user, is_recent) = proved.await.map_err(Problem)?;
        caller.admit(!VERIFIED || user.email_verified_at.is_some()).map_err(Problem)?;
        if !is_recent {
            return Err(Problem(Code::ReauthRequired.refuse()).into());
        }
        check_query(request).map_err(Problem)?;
        Ok(Self(SignedIn { user, caller, carrier }))
    }
}

/// The argument of a handler that only operators of the platform may ask.
pub struct Superuser(pub SignedIn);

impl Superuser {
    /// 403, not 404: the document lists these paths, so there is nothing to hide.
    async fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let me = SignedIn::of(request, body).await?;
        match me.user.is_superuser {
            true => Ok(Self(me)),
            false => Err(Problem(Code::Forbidden.refuse()).into()),
        }
    }
}

/// Each of them is asked for by its type, and documented as what needs to be signed in.
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
extractors!(SignedIn, Unverified, Recent<const VERIFIED>, Superuser);

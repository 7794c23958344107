//! Who calls: a bearer token (RFC 6750), verified.

use std::sync::Arc;

use insula_core::{
    error::{Code, Error},
    members::Caller,
    users::User,
};
use poem::{FromRequest, Request, RequestBody, http::header, web::Data};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{headers::RequestId, operation::check_query, problem::Problem, state::State, trace::Subject};

/// The name of the one way to sign in, as the document calls it.
pub const SCHEME: &str = "bearer";

/// Tells the document how to sign in.
pub fn register_scheme(registry: &mut Registry) {
    registry.create_security_scheme(
        SCHEME,
        MetaSecurityScheme {
            ty: "http",
            description: Some("The access token that `POST /auth/login` answers with."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        },
    );
}

/// What everybody shares.
pub(crate) async fn state<'a>(request: &'a Request, body: &mut RequestBody) -> poem::Result<&'a Arc<State>> {
    let Data(state) = <Data<&Arc<State>> as FromRequest>::from_request(request, body).await?;
    Ok(state)
}

/// The caller, as his token says. Whether his session is still good is for the database to say.
///
/// # Errors
/// `UNAUTHENTICATED` without a token; `INVALID_TOKEN` with a bad one.
pub(crate) fn caller(state: &State, request: &Request) -> Result<Caller, Error> {
    let token = request.headers().get(header::AUTHORIZATION).ok_or(Code::Unauthenticated.refuse())?;
    let token = token.to_str().ok().and_then(|value| value.split_once(' '));
    let (_, token) = token
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or(Code::InvalidToken.refuse())?;
    let claims = state.tokens.verify(token.trim(), state.db.now())?;
    Subject::note(request, claims.user);
    Ok(Caller { claims, request_id: Some(RequestId::of(request).to_string()) })
}

/// The argument of a handler that needs somebody signed in, and no organization.
pub struct SignedIn {
    /// The person.
    pub user: User,
    /// His token and this request.
    pub caller: Caller,
}

impl<'a> ApiExtractor<'a> for SignedIn {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_scheme(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let state = state(request, body).await?;
        let caller = caller(state, request).map_err(Problem)?;
        // What changes something believes no memory.
        let user = match request.method().is_safe() {
            true => state.callers.recognize(&caller.claims).await,
            false => state.callers.authenticate(&caller.claims).await,
        };
        let user = user.map_err(Problem)?;
        check_query(request).map_err(Problem)?;
        Ok(Self { user, caller })
    }
}

//! `/auth`: login, token refresh, re-authentication and logout.

use std::sync::Arc;

use insula_core::{
    Error,
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        text,
    },
    identity::{
        sessions::{self, LoginDevice, RevokeScope},
        users,
    },
    lifecycle::accounts,
    runtime::rate_limit::RateClass,
};
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::{Tag, account::me::User};
use crate::{
    auth::extractors::{self, Anonymous, TokenSource},
    body::{OptionalJson, StrictJson},
    browser::cookies::LoginTokens,
    http::{JsonResponse, NoContent, WithCookies},
    middleware::rate_limit,
    problem::{Problem, Result, WithLoginErrors},
    state::AppState,
};

pub struct SessionsApi(pub Arc<AppState>);

/// Credentials for a login: a password with either `email` or `username`.
#[derive(Object)]
struct LogIn {
    /// E-mail address of the account. Send this or `username`, not both.
    #[oai(nullable)]
    email: Option<LoginName>,
    /// Username of the account. Send this or `email`, not both.
    #[oai(nullable)]
    username: Option<LoginName>,
    /// Password of the account.
    password: LoginPassword,
    /// How the tokens are returned.
    #[oai(default = "Transport::bearer")]
    transport: Transport,
    /// Name of this device, shown in the list of sessions.
    #[oai(nullable)]
    device_name: Option<DeviceName>,
}

crate::texts! {
    /// An e-mail address or username, as typed by the user.
    LoginName { length: 1..=254, example: "ada@example.com" }
    /// An access token (RFC 9068).
    AccessToken { length: 1..=4096, example: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpbnN1bGEifQ.c2lnbmF0dXJl" }
    /// A refresh token, an opaque string.
    RefreshToken { length: 1..=4096, example: "rt_AZOd5u2gc1KoHk3m1yPq8QAAAAAAAAAB5cT0c8Hc0mCq2k5xWm0o8d1o4mL9c6fY0r7sJ2uV3wU" }
    /// A CSRF token, an opaque string.
    CsrfToken { length: 1..=200, example: "6m0Jc1k0N3xqz2gVb9h8Yw" }
    /// A name that the user gives a device.
    DeviceName { length: 1..=text::Name::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Ada's laptop" }
    /// A password, as typed by the user.
    LoginPassword { length: 1..=512, example: "a long and lovely passphrase" }
}

/// Proof of identity for a session that has started already.
#[derive(Object)]
struct Reauthentication {
    /// The current password of the account.
    password: LoginPassword,
}

/// A session and its tokens. With `transport: cookie`, the access and refresh tokens are set as cookies and
/// absent here; only then `csrf_token` is present.
#[derive(Object, Serialize)]
struct SignedIn {
    /// Access token. Send it as `Authorization: Bearer …`. Absent if the tokens are cookies.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<AccessToken>,
    /// Refresh token. Exchange it for a new pair of tokens at `POST /auth/refresh`. Absent
    /// if the tokens are cookies.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<RefreshToken>,
    /// CSRF token. Send it as `X-CSRF-Token` with every request that changes something. Present only if the
    /// tokens are cookies.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<CsrfToken>,
    /// How to send the access token in a header.
    token_type: TokenType,
    /// Lifetime of the access token, in seconds.
    expires_in: u64,
    /// Id of the session that the tokens belong to.
    session_id: Uuid,
    /// The user who is logged in.
    user: User,
}

/// How the tokens are returned.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum Transport {
    /// In the response body. The client stores the tokens.
    Bearer,
    /// As cookies that scripts cannot read, for browsers.
    Cookie,
}

/// A refresh token to exchange for a new pair of tokens. Browsers send the cookie instead.
#[derive(Object)]
struct TokenRefresh {
    /// The refresh token. If it is absent, the token of the cookie is used.
    #[oai(nullable)]
    refresh_token: Option<RefreshToken>,
}

/// A CSRF token for requests that change something.
#[derive(Object, Serialize)]
struct CsrfTokenResponse {
    /// The CSRF token. Send it as `X-CSRF-Token`.
    csrf_token: CsrfToken,
}

/// How an access token is sent.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum TokenType {
    /// In the header `Authorization: Bearer …` (RFC 6750).
    Bearer,
}

#[OpenApi(tag = "Tag::Authentication")]
impl SessionsApi {
    /// Log in
    ///
    /// Starts a session. The response and its duration are the same for an unknown account and for a wrong
    /// password. If existing accounts are hidden, they are also the same for an account with an unverified
    /// e-mail address. With `transport: cookie`, the tokens are set as cookies, and the request needs an
    /// `Origin` that is this service or listed in `INSULA_TRUSTED_ORIGINS`.
    #[oai(path = "/auth/login", method = "post", operation_id = "logIn")]
    async fn log_in(
        &self,
        request: &Request,
        anybody: Anonymous,
        who: StrictJson<LogIn>,
    ) -> Result<WithCookies<JsonResponse<SignedIn>>, WithLoginErrors> {
        let transport = who.value.transport;
        if transport == Transport::Cookie {
            self.0.origins.require(request)?;
        }
        let Parsed { login, password, device_name } = who.value.parse()?;
        let AppState { db, devices, cookies, .. } = &*self.0;
        let login_source = self.0.login_source(request, anybody.device.ip.as_deref());
        let proof = self.0.verifier().log_in(&login, password, login_source, &anybody.trail).await?;
        let mut tx = db.begin_global(anybody.origin).await?;
        let device = LoginDevice { name: device_name, ..anybody.device };
        let (session, user) = sessions::log_in(&mut tx, &proof, device, &self.0.policy).await?;
        tx.commit().await?;
        let known = cookies.known(&devices.issue(user.id, db.now()));
        let mut reply = self.signed_in(transport, &session, user).await?;
        reply.cookies.extend(known.filter(|_| transport == Transport::Cookie));
        Ok(reply)
    }

    /// Refresh tokens
    ///
    /// Exchanges a refresh token for a new pair of tokens. Each refresh token can be exchanged once.
    /// Concurrent requests with the same token, and retries after a lost response, get the same new refresh
    /// token until that token or its access token is used. After that, use of an old token ends the session,
    /// because the token may have been stolen.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        request: &Request,
        anybody: Anonymous,
        body: OptionalJson<TokenRefresh>,
    ) -> Result<WithCookies<JsonResponse<SignedIn>>, WithLoginErrors> {
        let AppState { db, policy, refresh, cookies, origins, .. } = &*self.0;
        let given = body.0.and_then(|body| body.refresh_token);
        let (token, transport) = match &given {
            Some(RefreshToken(token)) => (refresh.read(token)?, Transport::Bearer),
            None => {
                let token = cookies.refresh(request).ok_or(ErrorCode::Unauthenticated.refuse())?;
                origins.require(request)?;
                (refresh.read(token)?, Transport::Cookie)
            }
        };
        rate_limit::take(&self.0, request, RateClass::Refresh, &token.session().to_string()).await?;
        let (session, user) = sessions::refresh(db, token, policy, anybody.origin.inquiry).await?;
        Ok(self.signed_in(transport, &session, user).await?)
    }

    /// Get a CSRF token
    ///
    /// Returns a CSRF token for the current session, for a browser page that has lost the token from login.
    /// If you authenticate with a cookie, the token is also set as a cookie.
    #[oai(path = "/auth/csrf", method = "get", operation_id = "getCsrfToken")]
    async fn csrf(
        &self,
        me: extractors::SignedInUnverified,
    ) -> Result<WithCookies<JsonResponse<CsrfTokenResponse>>> {
        let extractors::SignedInUnverified(me) = me;
        let token = self.0.csrf.issue(me.caller.claims.session);
        let cookie = self.0.cookies.csrf(&token).filter(|_| me.source == TokenSource::Cookie);
        let reply = JsonResponse(CsrfTokenResponse { csrf_token: CsrfToken(token) });
        Ok(WithCookies { reply, cookies: cookie.into_iter().collect() })
    }

    /// Confirm your password
    ///
    /// Sensitive operations require a login or re-authentication within the last 10 minutes (by default): for
    /// example changing your e-mail address, deleting your account or organization, and changes of owners. A
    /// wrong password counts like a failed login: after five in 15 minutes, each further attempt has to wait.
    #[oai(path = "/auth/reauthenticate", method = "post", operation_id = "reauthenticate")]
    async fn reauthenticate(
        &self,
        request: &Request,
        me: extractors::SignedIn,
        proof: StrictJson<Reauthentication>,
    ) -> Result<NoContent> {
        let password = Secret::new(proof.value.password.0);
        let proof = self.0.confirm(request, &me, "password", password).await?;
        let tx = self.0.db.begin_global(me.caller.origin()).await?;
        sessions::reauthenticate(&tx, me.caller.claims.session, &proof, "password").await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Log out
    ///
    /// Ends the current session. Its tokens no longer work, and cookies are cleared.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logOut")]
    async fn log_out(&self, me: extractors::SignedInUnverified) -> Result<WithCookies<NoContent>> {
        let extractors::SignedInUnverified(me) = me;
        self.0.log_out(&me, RevokeScope::One(me.caller.claims.session)).await
    }

    /// Log out everywhere
    ///
    /// Ends all your sessions on all devices, including this one. Cookies are cleared.
    #[oai(path = "/auth/logout-all", method = "post", operation_id = "logOutEverywhere")]
    async fn log_out_everywhere(&self, me: extractors::SignedInUnverified) -> Result<WithCookies<NoContent>> {
        let extractors::SignedInUnverified(me) = me;
        self.0.log_out(&me, RevokeScope::All).await
    }
}

impl SessionsApi {
    /// The response to a login or token refresh: tokens in the body or as cookies, depending on `transport`.
    async fn signed_in(
        &self,
        transport: Transport,
        session: &sessions::Session,
        user: users::User,
    ) -> Result<WithCookies<JsonResponse<SignedIn>>, Error> {
        let AppState { db, tokens, refresh, csrf, cookies, .. } = &*self.0;
        let user = accounts::with_default_organization(db, user).await?;
        let access = tokens.issue(user.id, (session.id, session.refresh_counter), db.now())?;
        let refresh = refresh.issue(session.id, session.refresh_counter);
        let mut signed_in = SignedIn {
            access_token: None,
            refresh_token: None,
            csrf_token: None,
            token_type: TokenType::Bearer,
            expires_in: access.expires_in,
            session_id: session.id.0,
            user: user.into(),
        };
        let cookies = match transport {
            Transport::Bearer => {
                signed_in.access_token = Some(AccessToken(access.token));
                signed_in.refresh_token = Some(RefreshToken(refresh));
                Vec::new()
            }
            Transport::Cookie => {
                let csrf = csrf.issue(session.id);
                let (access, expires_in) = (&*access.token, access.expires_in);
                let lines =
                    cookies.signed_in(&LoginTokens { access, expires_in, refresh: &refresh, csrf: &csrf });
                signed_in.csrf_token = Some(CsrfToken(csrf));
                lines
            }
        };
        Ok(WithCookies { reply: JsonResponse(signed_in), cookies })
    }
}

impl AppState {
    /// Ends sessions of the user who makes the request, including the current one. Cookies
    /// of a browser are cleared.
    async fn log_out(&self, me: &extractors::SignedIn, which: RevokeScope) -> Result<WithCookies<NoContent>> {
        let reply = match self.revoke(me, which, "log-out").await {
            // Another request ended the session at the same time.
            Err(Problem(Error::NotFound(_))) => NoContent,
            reply => reply?,
        };
        let cookies = match me.source {
            TokenSource::Cookie => self.cookies.signed_out(),
            TokenSource::Bearer => Vec::new(),
        };
        Ok(WithCookies { reply, cookies })
    }
}

impl Transport {
    fn bearer() -> Self {
        Self::Bearer
    }
}

/// Validated credentials of a login, and the name of the device.
struct Parsed {
    login: String,
    password: Secret<String>,
    device_name: Option<text::Name>,
}

impl LogIn {
    fn parse(self) -> Result<Parsed, Error> {
        let mut fields = FieldErrors::default();
        let login = match (self.email, self.username) {
            (Some(login), None) | (None, Some(login)) => Some(login.0),
            (Some(_), Some(_)) => {
                fields.add(
                    "username",
                    "NOT_A_CHOICE",
                    "Send either an e-mail address or a username, not both.",
                );
                None
            }
            (None, None) => {
                fields.add("email", "REQUIRED", "Send an e-mail address or a username.");
                None
            }
        };
        let device_name =
            fields.parse_optional("device_name", self.device_name.map(|name| text::Name::parse(&name.0)));
        fields.into_result()?;
        let login = login.ok_or(ErrorCode::ValidationFailed.refuse())?;
        Ok(Parsed { login, password: Secret::new(self.password.0), device_name })
    }
}

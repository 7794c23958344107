//! `/auth`: log-ins, from the first proof to the last.

use std::sync::Arc;

use insula_core::{
    Error,
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        text,
    },
    identity::{
        sessions::{self, Device, RevokeScope},
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
    browser::cookies::Tokens,
    http::{JsonResponse, NoContent, WithCookies},
    middleware::rate_limit,
    problem::{Problem, Result, WithLoginErrors},
    state::State,
};

pub struct SessionsApi(pub Arc<State>);

/// Who logs in: by `email` or by `username`.
#[derive(Object)]
struct LogIn {
    /// The e-mail address of the account.
    #[oai(nullable)]
    email: Option<LoginName>,
    /// Or its username.
    #[oai(nullable)]
    username: Option<LoginName>,
    /// The password of the account.
    password: LoginPassword,
    /// How to keep the tokens.
    #[oai(default = "Transport::bearer")]
    transport: Transport,
    /// What to call this device in the list of sessions.
    #[oai(nullable)]
    device_name: Option<DeviceName>,
}

crate::texts! {
    /// What somebody typed as his e-mail address or username.
    LoginName { length: 1..=254, example: "ada@example.com" }
    /// An access token (RFC 9068).
    AccessToken { length: 1..=4096, example: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpbnN1bGEifQ.c2lnbmF0dXJl" }
    /// A refresh token: opaque.
    RefreshToken { length: 1..=4096, example: "rt_AZOd5u2gc1KoHk3m1yPq8QAAAAAAAAAB5cT0c8Hc0mCq2k5xWm0o8d1o4mL9c6fY0r7sJ2uV3wU" }
    /// A CSRF token: opaque.
    CsrfToken { length: 1..=200, example: "6m0Jc1k0N3xqz2gVb9h8Yw" }
    /// What somebody calls a device of his.
    DeviceName { length: 1..=text::Name::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Ada's laptop" }
    /// What somebody typed as his password.
    LoginPassword { length: 1..=512, example: "a long and lovely passphrase" }
}

/// A proof that it is still the same person.
#[derive(Object)]
struct Reauthentication {
    /// The current password.
    password: LoginPassword,
}

/// A log-in. The tokens are absent where they are cookies; the CSRF token is absent where they are not.
#[derive(Object, Serialize)]
struct SignedIn {
    /// Send it as `Authorization: Bearer …`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<AccessToken>,
    /// Exchange it at `POST /auth/refresh` for the next pair.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<RefreshToken>,
    /// Send it as `X-CSRF-Token` with what changes something.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<CsrfToken>,
    /// How to send the access token, where it is sent in a header.
    token_type: TokenType,
    /// Seconds the access token lives.
    expires_in: u64,
    /// This log-in.
    session_id: Uuid,
    /// Who logged in.
    user: User,
}

/// How a browser or program keeps its tokens.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum Transport {
    /// By itself: they are in the body.
    Bearer,
    /// As cookies, which no script can read.
    Cookie,
}

/// What is exchanged for a new pair of tokens; a browser sends the cookie instead.
#[derive(Object)]
struct TokenRefresh {
    /// The refresh token; absent: that of the cookie.
    #[oai(nullable)]
    refresh_token: Option<RefreshToken>,
}

/// What a page of ours sends with what changes something.
#[derive(Object, Serialize)]
struct CsrfTokenResponse {
    /// Send it as `X-CSRF-Token`.
    csrf_token: CsrfToken,
}

/// How a token is sent.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum TokenType {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
}

#[OpenApi(tag = "Tag::Authentication")]
impl SessionsApi {
    /// Log in
    ///
    /// The answer is the same, and takes as long, whether the account or the password is wrong; so it is for an account whose
    /// address is not verified, where it is hidden which addresses have one. With the transport
    /// `cookie` the tokens are cookies, which a page of ours must ask for.
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
        let State { db, devices, cookies, .. } = &*self.0;
        let whence = self.0.whence(request, anybody.device.ip.as_deref());
        let proof = self.0.verifier().log_in(&login, password, whence, &anybody.trail).await?;
        let mut tx = db.begin_global(anybody.origin).await?;
        let device = Device { name: device_name, ..anybody.device };
        let (session, user) = sessions::log_in(&mut tx, &proof, device, &self.0.policy).await?;
        tx.commit().await?;
        let known = cookies.known(&devices.issue(user.id, db.now()));
        let mut reply = self.signed_in(transport, &session, user).await?;
        reply.cookies.extend(known.filter(|_| transport == Transport::Cookie));
        Ok(reply)
    }

    /// Go on with new tokens
    ///
    /// Each refresh token is exchanged once. Tabs that do it at the same time all get the same new one, and so does a client
    /// whose answer was lost: as long as neither the new refresh token nor an access token that came with it was used. After
    /// that an old one ends the session, because it has been stolen.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        request: &Request,
        anybody: Anonymous,
        body: OptionalJson<TokenRefresh>,
    ) -> Result<WithCookies<JsonResponse<SignedIn>>, WithLoginErrors> {
        let State { db, policy, refresh, cookies, origins, .. } = &*self.0;
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
    /// For a page of ours that has lost the one of its log-in.
    #[oai(path = "/auth/csrf", method = "get", operation_id = "getCsrfToken")]
    async fn csrf(
        &self,
        me: extractors::SignedInUnverified,
    ) -> Result<WithCookies<JsonResponse<CsrfTokenResponse>>> {
        let extractors::SignedInUnverified(me) = me;
        let token = self.0.csrf.issue(me.caller.claims.session);
        let cookie = self.0.cookies.csrf(&token).filter(|_| me.carrier == TokenSource::Cookie);
        let reply = JsonResponse(CsrfTokenResponse { csrf_token: CsrfToken(token) });
        Ok(WithCookies { reply, cookies: cookie.into_iter().collect() })
    }

    /// Prove again who I am
    ///
    /// What is dear (e-mail address, deletion, owners) wants a proof that is a few minutes old at most. A wrong password
    /// counts as one at log-in does: after five in 15 minutes each one has to wait.
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
    /// The access token is worth nothing from then on.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logOut")]
    async fn log_out(&self, me: extractors::SignedInUnverified) -> Result<WithCookies<NoContent>> {
        let extractors::SignedInUnverified(me) = me;
        self.0.log_out(&me, RevokeScope::One(me.caller.claims.session)).await
    }

    /// Log out everywhere
    #[oai(path = "/auth/logout-all", method = "post", operation_id = "logOutEverywhere")]
    async fn log_out_everywhere(&self, me: extractors::SignedInUnverified) -> Result<WithCookies<NoContent>> {
        let extractors::SignedInUnverified(me) = me;
        self.0.log_out(&me, RevokeScope::All).await
    }
}

impl SessionsApi {
    /// What a browser or program gets that is signed in by `session` from now on.
    async fn signed_in(
        &self,
        transport: Transport,
        session: &sessions::Session,
        user: users::User,
    ) -> Result<WithCookies<JsonResponse<SignedIn>>, Error> {
        let State { db, tokens, refresh, csrf, cookies, .. } = &*self.0;
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
                let lines = cookies.signed_in(&Tokens { access, expires_in, refresh: &refresh, csrf: &csrf });
                signed_in.csrf_token = Some(CsrfToken(csrf));
                lines
            }
        };
        Ok(WithCookies { reply: JsonResponse(signed_in), cookies })
    }
}

impl State {
    /// Ends sessions of the person who asks, this one among them; a browser forgets its cookies.
    async fn log_out(&self, me: &extractors::SignedIn, which: RevokeScope) -> Result<WithCookies<NoContent>> {
        let reply = match self.revoke(me, which, "log-out").await {
            // Another tab was faster.
            Err(Problem(Error::NotFound(_))) => NoContent,
            reply => reply?,
        };
        let cookies = match me.carrier {
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

/// Who logs in, from a device of which name.
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

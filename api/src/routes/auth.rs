//! `/auth`: registration and log-in.

use std::sync::Arc;

use insula_core::{
    access::{Actor, Origin},
    accounts, credentials,
    error::{Code, Fields},
    secret::Secret,
    sessions::{self, Device, Ending},
    text,
    users::NewUser,
};
use poem::{Request, http::header};
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::{Tag, me::User};
use crate::{
    caller,
    headers::RequestId,
    problem::{Challenging, Conflicting, Result},
    state::State,
    strict::StrictJson,
    wire::{Answer, Email, EntityTag, Name, NoContent, Password, Reply, Username},
};

pub struct Auth(pub Arc<State>);

/// A new account.
#[derive(Object)]
struct Registration {
    /// To log in with.
    email: Email,
    /// To log in with later; one that is easy to guess is refused.
    password: Password,
    /// To log in with instead of the e-mail address.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name.
    #[oai(nullable)]
    last_name: Option<Name>,
}

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
}

crate::texts! {
    /// What somebody typed as his e-mail address or username.
    LoginName { length: 1..=254, example: "ada@example.com" }
    /// An access token (RFC 9068).
    AccessToken { length: 1..=4096, example: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpbnN1bGEifQ.c2lnbmF0dXJl" }
    /// What somebody typed as his password.
    LoginPassword { length: 1..=512, example: "a long and lovely passphrase" }
}

/// A proof that it is still the same person.
#[derive(Object)]
struct Reauthentication {
    /// The current password.
    password: LoginPassword,
}

/// A log-in.
#[derive(Object, Serialize)]
struct SignedIn {
    /// Send it as `Authorization: Bearer …`.
    access_token: AccessToken,
    /// How to send it.
    token_type: TokenType,
    /// Seconds the access token lives.
    expires_in: u64,
    /// This log-in.
    session_id: Uuid,
    /// Who logged in.
    user: User,
}

/// How a token is sent.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum TokenType {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
}

fn anonymous(request: &Request) -> Origin {
    Origin { actor: Actor::Anonymous, session: None, request_id: Some(RequestId::of(request).to_string()) }
}

#[OpenApi(tag = "Tag::Authentication")]
impl Auth {
    /// Open an account
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        request: &Request,
        new: StrictJson<Registration>,
    ) -> Result<Answer<User>, Conflicting> {
        let (new, password) = new.value.parse()?;
        let hash = self.0.passwords.hash(password).await?;
        let mut tx = self.0.db.begin_global(anonymous(request)).await?;
        let user = accounts::register(&mut tx, new, hash, self.0.personal_organizations).await?;
        tx.commit().await?;
        Ok(Answer::created("/api/v1/users/me".to_owned(), EntityTag(user.version), &user.into())?)
    }

    /// Log in
    ///
    /// The answer is the same, and takes as long, whether the account or the password is wrong.
    #[oai(path = "/auth/login", method = "post", operation_id = "logIn")]
    async fn log_in(
        &self,
        request: &Request,
        who: StrictJson<LogIn>,
    ) -> Result<Reply<SignedIn>, Challenging> {
        let (login, password) = who.value.parse()?;
        let user = credentials::check(&self.0.db, &self.0.passwords, &login, password).await?;
        let mut tx = self.0.db.begin_global(anonymous(request)).await?;
        let (session, user) = sessions::create(&mut tx, user, device(request), &self.0.policy).await?;
        let now = tx.now();
        tx.commit().await?;
        let user = accounts::shown(&self.0.db, user).await?;
        let access = self.0.tokens.issue(user.id, session.id, now)?;
        Ok(Reply(SignedIn {
            access_token: AccessToken(access.token),
            token_type: TokenType::Bearer,
            expires_in: access.expires_in,
            session_id: session.id.0,
            user: user.into(),
        }))
    }

    /// Prove again who I am
    ///
    /// What is dear (password, e-mail address, deletion) wants a proof that is a few minutes old at most.
    #[oai(path = "/auth/reauthenticate", method = "post", operation_id = "reauthenticate")]
    async fn reauthenticate(
        &self,
        me: caller::SignedIn,
        proof: StrictJson<Reauthentication>,
    ) -> Result<NoContent> {
        let State { db, passwords, .. } = &*self.0;
        let password = Secret::new(proof.value.password.0);
        credentials::confirm(db, passwords, me.user.id, "password", password).await?;
        let tx = db.begin_global(me.caller.origin()).await?;
        sessions::reauthenticate(&tx, me.caller.claims.session).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Log out
    ///
    /// The access token is worth nothing from then on.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logOut")]
    async fn log_out(&self, me: caller::SignedIn) -> Result<NoContent> {
        self.0.revoke(&me, Ending::One(me.caller.claims.session), "log-out").await
    }

    /// Log out everywhere
    #[oai(path = "/auth/logout-all", method = "post", operation_id = "logOutEverywhere")]
    async fn log_out_everywhere(&self, me: caller::SignedIn) -> Result<NoContent> {
        self.0.revoke(&me, Ending::All, "log-out").await
    }
}

fn device(request: &Request) -> Device {
    let peer = request.remote_addr().as_socket_addr();
    Device {
        ip: peer.map(|peer| peer.ip().to_canonical().to_string()),
        user_agent: request.header(header::USER_AGENT).map(str::to_owned),
    }
}

impl Registration {
    fn parse(self) -> Result<(NewUser, Secret<String>), insula_core::Error> {
        let mut fields = Fields::default();
        let password = Secret::new(self.password.0);
        let about = [Some(self.email.0.as_str()), self.username.as_ref().map(|name| name.0.as_str())];
        let about: Vec<_> = about.into_iter().flatten().collect();
        fields.include(credentials::refuse_weak("password", &password, &about))?;
        let email = fields.take("email", text::EmailAddress::parse(&self.email.0));
        let username =
            fields.take_optional("username", self.username.map(|name| text::Username::parse(&name.0)));
        let first_name =
            fields.take_optional("first_name", self.first_name.map(|name| text::Name::parse(&name.0)));
        let last_name =
            fields.take_optional("last_name", self.last_name.map(|name| text::Name::parse(&name.0)));
        fields.finish()?;
        let email = email.ok_or(Code::ValidationFailed.refuse())?;
        Ok((NewUser { email, username, first_name, last_name }, password))
    }
}

impl LogIn {
    fn parse(self) -> Result<(String, Secret<String>), insula_core::Error> {
        let mut fields = Fields::default();
        let login = match (self.email, self.username) {
            (Some(login), None) | (None, Some(login)) => Some(login.0),
            (Some(_), Some(_)) => {
                fields.refuse(
                    "username",
                    "NOT_A_CHOICE",
                    "Give either an e-mail address or a username, not both.",
                );
                None
            }
            (None, None) => {
                fields.refuse("email", "REQUIRED", "Give an e-mail address or a username.");
                None
            }
        };
        fields.finish()?;
        Ok((login.ok_or(Code::ValidationFailed.refuse())?, Secret::new(self.password.0)))
    }
}

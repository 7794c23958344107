//! `/auth/register`: accounts.

use std::sync::Arc;

use insula_core::{
    accounts, credentials,
    error::{Code, Fields},
    secret::Secret,
    text,
    users::NewUser,
};
use poem_openapi::{Object, OpenApi};

use super::{Tag, me::User};
use crate::{
    caller::Anybody,
    problem::{Guarded, Result},
    state::State,
    strict::StrictJson,
    wire::{Answer, Email, EntityTag, Name, Password, Username},
};

pub struct Auth(pub Arc<State>);

/// A new account.
#[derive(Object)]
struct Registration {
    /// To log in with.
    email: Email,
    /// To log in with later.
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

#[OpenApi(tag = "Tag::Authentication")]
impl Auth {
    /// Open an account
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        anybody: Anybody,
        new: StrictJson<Registration>,
    ) -> Result<Answer<User>, Guarded<409>> {
        let (new, password) = new.value.parse()?;
        let hash = self.0.passwords.hash(password).await?;
        let mut tx = self.0.db.begin_global(anybody.origin).await?;
        let user = accounts::register(&mut tx, new, hash, self.0.personal_organizations).await?;
        tx.commit().await?;
        Ok(Answer::created("/api/v1/users/me".to_owned(), EntityTag(user.version), &user.into())?)
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

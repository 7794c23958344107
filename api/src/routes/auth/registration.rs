//! `/auth/register`: account registration.

use std::sync::Arc;

use insula_core::{
    Error,
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        permissions::AuditOrigin,
        text,
    },
    identity::{credentials, users::NewUser},
    lifecycle::accounts,
};
use poem_openapi::{Object, OpenApi};

use super::email_links;
use crate::routes::{Tag, account::me::User};
use crate::{
    auth::extractors::Anonymous,
    body::StrictJson,
    http::{CreatedResponse, Email, EntityTag, Name, OrAccepted, Password, Username},
    problem::{Result, WithForbidden},
    state::AppState,
};

pub struct RegistrationApi(pub Arc<AppState>);

/// A registration of a new account.
#[derive(Object)]
struct Registration {
    /// E-mail address to log in with.
    email: Email,
    /// Password to log in with. Weak passwords are refused.
    password: Password,
    /// Username to log in with instead of the e-mail address. It is unique without regard to case.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name of the user. It can be absent.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name of the user. It can be absent.
    #[oai(nullable)]
    last_name: Option<Name>,
}

#[OpenApi(tag = "Tag::Authentication")]
impl RegistrationApi {
    /// Register an account
    ///
    /// Creates an account. If the installation sends e-mail, you get a link to verify the e-mail address,
    /// and most operations are refused before that. If existing accounts are hidden
    /// (`hide_existing_accounts` of `GET /auth/config`), the response is 202 whether or not the e-mail
    /// address has an account already. In that case you can log in only after verification, and the username
    /// is assigned then if it is still free.
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        anybody: Anonymous,
        new: StrictJson<Registration>,
    ) -> Result<OrAccepted<CreatedResponse<User>>, WithForbidden<409>> {
        let (new, password) = new.value.parse()?;
        let AppState { db, passwords, mail, personal_organizations, .. } = &*self.0;
        let hash = passwords.hash(password).await?;
        if mail.hides_accounts {
            Box::pin(email_links::evenly(self.register_hidden(&anybody.origin, new, hash))).await?;
            return Ok(OrAccepted::Accepted(email_links::CHECK_INBOX));
        }
        let mut tx = db.begin_global(anybody.origin).await?;
        let user =
            accounts::register(&mut tx, new, hash, *personal_organizations, mail.if_configured()).await?;
        tx.commit().await?;
        let place = "/api/v1/users/me".to_owned();
        Ok(OrAccepted::Done(CreatedResponse::created(place, EntityTag(user.version), &user.into())?))
    }
}

impl RegistrationApi {
    /// Registers, or informs the owner of the existing account by e-mail. If another request registers the
    /// same e-mail address at the same time, the second attempt finds that account.
    async fn register_hidden(&self, origin: &AuditOrigin, new: NewUser, hash: String) -> Result<()> {
        let AppState { db, mail, personal_organizations, .. } = &*self.0;
        for _ in 0..2 {
            let mut tx = db.begin_global(origin.clone()).await?;
            let (new, hash) = (new.clone(), hash.clone());
            let personal = *personal_organizations;
            match insula_core::lifecycle::email_links::register(&mut tx, mail, new, hash, personal).await {
                Err(error) if error.code() == ErrorCode::EmailTaken => {}
                outcome => {
                    outcome?;
                    tx.commit().await?;
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Registration {
    fn parse(self) -> Result<(NewUser, Secret<String>), Error> {
        let mut fields = FieldErrors::default();
        let password = Secret::new(self.password.0);
        refuse_weak(&mut fields, &password, &self.email, self.username.as_ref())?;
        let user = person(&mut fields, &self.email, self.username, self.first_name, self.last_name);
        fields.into_result()?;
        Ok((user.ok_or(ErrorCode::ValidationFailed.refuse())?, password))
    }
}

/// Adds an error to `fields` if `password` is easy to guess for a user with this e-mail address and username.
pub(crate) fn refuse_weak(
    fields: &mut FieldErrors,
    password: &Secret<String>,
    email: &Email,
    username: Option<&Username>,
) -> Result<(), Error> {
    let about = [Some(email.0.as_str()), username.map(|name| name.0.as_str())];
    let about: Vec<_> = about.into_iter().flatten().collect();
    fields.merge(credentials::refuse_weak("password", password, &about))
}

/// Parses the data of a new account; invalid fields are added to `fields`.
pub(crate) fn person(
    fields: &mut FieldErrors,
    email: &Email,
    username: Option<Username>,
    first_name: Option<Name>,
    last_name: Option<Name>,
) -> Option<NewUser> {
    let email = fields.parse("email", text::EmailAddress::parse(&email.0));
    let username = fields.parse_optional("username", username.map(|name| text::Username::parse(&name.0)));
    let mut name =
        |field, name: Option<Name>| fields.parse_optional(field, name.map(|name| text::Name::parse(&name.0)));
    let (first_name, last_name) = (name("first_name", first_name), name("last_name", last_name));
    Some(NewUser { email: email?, username, first_name, last_name })
}

//! E-mailed links: operations that request one and operations that use one.
//!
//! Requests for a link get the same response after the same time, whether or not there is an account. A link
//! works without authentication, because its token is the proof.

use std::{sync::Arc, time::Duration};

use insula_core::{
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        text::EmailAddress,
    },
    identity::one_time_tokens::{self, OneTimeToken, TokenPurpose},
    lifecycle::{
        accounts,
        email_links::{self, LinkOutcome, Ownership},
    },
    runtime::rate_limit::RateClass,
};
use poem::Request;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use tokio::time::sleep;

use super::sessions::LoginPassword;
use crate::routes::{Tag, account::me::User};
use crate::{
    auth::extractors::{self, Anonymous, RecentLogin},
    body::StrictJson,
    http::{Accepted, Email, EntityTag, JsonResponse, OrAccepted, Password, WithEtag},
    middleware::rate_limit,
    problem::{Problem, Result, WithConflict, WithForbidden, WithLinkErrors},
    state::AppState,
};

pub struct EmailLinksApi(pub Arc<AppState>);

impl EmailLinksApi {
    /// The e-mail address to send a link to. Limits the e-mails to one e-mail address, also if many clients
    /// request them. Counts by a pseudonym, because the counters may be stored in another system.
    async fn recipient(&self, request: &Request, wanted: EmailAddressRequest) -> Result<EmailAddress> {
        let email = wanted.parse()?;
        let pseudonym = self.0.mail.pseudonym(email.as_str());
        rate_limit::take(&self.0, request, RateClass::Mailbox, &pseudonym).await?;
        Ok(email)
    }

    /// How the user of a link proves that they know the account's password. Passwords are hashed only for
    /// links that are used to verify an account.
    async fn ownership(
        &self,
        request: &Request,
        anybody: &Anonymous,
        link: &OneTimeToken,
        Verification { password, new_password, .. }: Verification,
    ) -> Result<Ownership> {
        let user = link.user_id.filter(|_| link.purpose() == Some(TokenPurpose::Verify));
        Ok(match (user, new_password, password) {
            (Some(_), Some(new), _) => {
                let password = Secret::new(new.0);
                let secret_hash = self.0.passwords.hash(password.clone()).await?;
                Ownership::NewPassword { password, secret_hash }
            }
            (Some(user), None, Some(password)) => {
                let login_source = self.0.login_source(request, anybody.device.ip.as_deref());
                let password = ("password", Secret::new(password.0));
                let proof =
                    self.0.verifier().confirm((user, None), password, login_source, &anybody.trail).await?;
                Ownership::Password(proof)
            }
            _ => Ownership::Unknown,
        })
    }
}

/// The message after an e-mail with a link has been sent.
pub(crate) const CHECK_INBOX: Accepted =
    Accepted("We have sent you an e-mail. Check your inbox and open the link.");
const IF_ANY: Accepted = Accepted(
    "If an account with this e-mail address exists, we have sent an e-mail. Check your inbox and open the link.",
);

/// Duration of a response that must not reveal by its timing what was found. The work itself is faster.
const EVEN: Duration = Duration::from_millis(250);

/// Does `work`, and takes the same time whatever the result.
pub(crate) async fn evenly<T>(work: impl Future<Output = T>) -> T {
    tokio::join!(work, sleep(EVEN)).0
}

crate::texts! {
    /// The token of an e-mailed link, which is in the fragment of its URL.
    LinkToken { length: 1..=512, example: "AZCzoHwefSqfADpcbn-Akam1Qm8xS0nNQe0dX1p3cWJ0Yk5vU1pHeUx3T2J1d2Rn" }
}

/// The token of an e-mailed link.
#[derive(Object)]
pub(crate) struct EmailLinkToken {
    /// Token from the fragment of the link's URL.
    pub(crate) token: LinkToken,
}

/// The token of an e-mailed link and, for a new account, its current or a new password.
#[derive(Object)]
#[oai(rename = "EmailVerification")]
struct Verification {
    /// Token from the fragment of the link's URL.
    token: LinkToken,
    /// The password that was set at registration. It stays valid.
    #[oai(nullable)]
    password: Option<LoginPassword>,
    /// A new password. Every session of the account ends. Takes precedence over `password`.
    #[oai(nullable)]
    new_password: Option<Password>,
}

/// An e-mail address to send a link to.
#[derive(Object)]
struct EmailAddressRequest {
    /// The e-mail address.
    email: Email,
}

/// The token of an e-mailed link and a new password.
#[derive(Object)]
struct PasswordReset {
    /// Token from the fragment of the link's URL.
    token: LinkToken,
    /// The new password. Weak passwords are refused.
    password: Password,
}

/// The result of using an e-mailed link.
#[derive(Object, Serialize)]
struct LinkResult {
    /// The e-mail address, which is now verified.
    email: Email,
    /// Token to set a new password at `POST /auth/password/reset`. `null` if the
    /// account has a valid password.
    #[oai(nullable)]
    password_reset_token: Option<LinkToken>,
}

#[OpenApi(tag = "Tag::Authentication")]
impl EmailLinksApi {
    /// Verify an e-mail address
    ///
    /// Uses the token of an e-mailed link to verify the address of a new account, or a new address of an
    /// existing account. A new account keeps its password and sessions if you are logged in to it, or if
    /// `password` is the one that was set at registration. Otherwise another person may have registered the
    /// account: the response is 409 `PASSWORD_REQUIRED`, and the link stays valid. `new_password` sets
    /// another password and ends every session. A wrong `password` counts like a failed login.
    #[oai(path = "/auth/email/verify", method = "post", operation_id = "verifyEmail")]
    async fn verify(
        &self,
        request: &Request,
        anybody: Anonymous,
        verification: StrictJson<Verification>,
    ) -> Result<JsonResponse<LinkResult>, WithLinkErrors<409, 401>> {
        let AppState { db, mail, .. } = &*self.0;
        let me = extractors::optional(&self.0, request).await?;
        let token = &verification.value.token.0;
        let link = one_time_tokens::find(db, token, &[TokenPurpose::Verify, TokenPurpose::Email]).await?;
        let ownership = match &me {
            Some(me) if link.user_id == Some(me.user.id) => Ownership::Session(me.user.id),
            _ => self.ownership(request, &anybody, &link, verification.value).await?,
        };
        let origin = me.map_or(anybody.origin, |me| me.caller.origin());
        let mut tx = db.begin_global(origin).await?;
        let proved = email_links::verify(&mut tx, mail, &link, ownership).await?;
        tx.commit().await?;
        Ok(JsonResponse(proved.into()))
    }

    /// Undo a change of e-mail address
    ///
    /// Uses the token of the link that was sent to the previous e-mail address, and restores that address.
    /// The password and all sessions are revoked, because the person who changed the address had access to
    /// both. Set a new password with the `password_reset_token` of the response.
    #[oai(path = "/auth/email/undo", method = "post", operation_id = "undoEmailChange")]
    async fn undo(
        &self,
        anybody: Anonymous,
        link: StrictJson<EmailLinkToken>,
    ) -> Result<JsonResponse<LinkResult>, WithLinkErrors<409>> {
        let AppState { db, mail, .. } = &*self.0;
        let link = one_time_tokens::find(db, &link.value.token.0, &[TokenPurpose::Undo]).await?;
        let mut tx = db.begin_global(anybody.origin).await?;
        let proved = email_links::undo(&mut tx, mail, &link).await?;
        tx.commit().await?;
        Ok(JsonResponse(proved.into()))
    }

    /// Resend the verification e-mail
    ///
    /// Sends a new verification link, if an account with this e-mail address is waiting for verification. The
    /// response and its duration are the same if there is none.
    #[oai(path = "/auth/email/resend", method = "post", operation_id = "resendVerification")]
    async fn resend(
        &self,
        request: &Request,
        anybody: Anonymous,
        mailbox: StrictJson<EmailAddressRequest>,
    ) -> Result<Accepted, WithForbidden> {
        let email = self.recipient(request, mailbox.value).await?;
        evenly(async {
            let tx = self.0.db.begin_global(anybody.origin).await?;
            email_links::resend(&tx, &self.0.mail, &email).await?;
            tx.commit().await
        })
        .await?;
        Ok(IF_ANY)
    }

    /// Request a password reset
    ///
    /// Sends a link to set a new password, if there is an account with this e-mail address. The response and
    /// its duration are the same if there is none.
    #[oai(path = "/auth/password/forgot", method = "post", operation_id = "forgotPassword")]
    async fn forgot(
        &self,
        request: &Request,
        anybody: Anonymous,
        mailbox: StrictJson<EmailAddressRequest>,
    ) -> Result<Accepted, WithForbidden> {
        let email = self.recipient(request, mailbox.value).await?;
        evenly(async {
            let tx = self.0.db.begin_global(anybody.origin).await?;
            email_links::request_password_reset(&tx, &self.0.mail, &email).await?;
            tx.commit().await
        })
        .await?;
        Ok(IF_ANY)
    }

    /// Reset a password
    ///
    /// Uses the token of an e-mailed link to set a new password. This also verifies the e-mail address and
    /// ends every session of the account. The link stays valid if the new password is refused.
    #[oai(path = "/auth/password/reset", method = "post", operation_id = "resetPassword")]
    async fn reset(
        &self,
        anybody: Anonymous,
        reset: StrictJson<PasswordReset>,
    ) -> Result<JsonResponse<LinkResult>, WithLinkErrors> {
        let AppState { db, passwords, .. } = &*self.0;
        let PasswordReset { token, password } = reset.value;
        // The link first: without a valid one, no password is hashed.
        let link = one_time_tokens::find(db, &token.0, &[TokenPurpose::Reset]).await?;
        let password = Secret::new(password.0);
        let hash = passwords.hash(password.clone()).await?;
        let mut tx = db.begin_global(anybody.origin).await?;
        let proved = email_links::reset(&mut tx, &link, &password, hash).await?;
        tx.commit().await?;
        Ok(JsonResponse(proved.into()))
    }

    /// Change your e-mail address
    ///
    /// If the installation sends e-mail, the new address gets a link to confirm the change, and the response
    /// is 202. The previous address gets a notice with a link that undoes the change for a week. Otherwise
    /// the address is changed at once, and the response is 200. Requires a login or re-authentication within
    /// the last 10 minutes (by default).
    #[oai(path = "/users/me/email", method = "post", operation_id = "changeMyEmail", tag = "Tag::Me")]
    async fn change(
        &self,
        request: &Request,
        me: RecentLogin,
        mailbox: StrictJson<EmailAddressRequest>,
    ) -> Result<OrAccepted<WithEtag<User>>, WithConflict> {
        let RecentLogin(me) = me;
        let email = self.recipient(request, mailbox.value).await?;
        let changed = async {
            let tx = self.0.db.begin_global(me.caller.origin()).await?;
            let changed = email_links::change(&tx, &self.0.mail, me.user.id, email).await?;
            tx.commit().await?;
            Ok::<_, Problem>(changed)
        };
        match evenly(changed).await? {
            Some(user) => {
                let user = accounts::with_default_organization(&self.0.db, user).await?;
                Ok(OrAccepted::Done(WithEtag::Present(EntityTag(user.version), user.into())))
            }
            None => Ok(OrAccepted::Accepted(CHECK_INBOX)),
        }
    }
}

impl EmailAddressRequest {
    fn parse(self) -> Result<EmailAddress, insula_core::Error> {
        let mut fields = FieldErrors::default();
        let email = fields.parse("email", EmailAddress::parse(&self.email.0));
        fields.into_result()?;
        email.ok_or(ErrorCode::ValidationFailed.refuse())
    }
}

impl From<LinkOutcome> for LinkResult {
    fn from(LinkOutcome { user, reset }: LinkOutcome) -> Self {
        Self {
            email: Email(user.email),
            password_reset_token: reset.map(|token| LinkToken(token.expose().clone())),
        }
    }
}

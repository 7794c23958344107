//! Mailed links: what asks for one, and what following one does.
//!
//! Who asks is told the same, after the same time, whether there is an account. A link works without being signed in: its
//! token is the proof.

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
    state::State,
};

pub struct EmailLinksApi(pub Arc<State>);

impl EmailLinksApi {
    /// Nor is a mailbox filled by many who ask. By its pseudonym: what is counted may be stored elsewhere.
    async fn count(&self, request: &Request, email: &EmailAddress) -> Result<()> {
        let pseudonym = self.0.mail.pseudonym(email.as_str());
        Ok(rate_limit::take(&self.0, request, RateClass::Mailbox, &pseudonym).await?)
    }

    /// How somebody who follows a link shows that the password of the account is theirs. Hashed is only what a link is for.
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
                let whence = self.0.whence(request, anybody.device.ip.as_deref());
                let password = ("password", Secret::new(password.0));
                let proof = self.0.verifier().confirm((user, None), password, whence, &anybody.trail).await?;
                Ownership::Password(proof)
            }
            _ => Ownership::Unknown,
        })
    }
}

/// What is said wherever the mailbox says the rest.
pub(crate) const LOOK: Accepted = Accepted("We have sent you an e-mail. Check your inbox and open the link.");
const IF_ANY: Accepted = Accepted(
    "If an account with this e-mail address exists, we have sent an e-mail. Check your inbox and open the link.",
);

/// How long an answer takes that must not tell by its time what was found; what is done is faster.
const EVEN: Duration = Duration::from_millis(250);

/// Does `work`, and takes the same time whatever it finds to do.
pub(crate) async fn evenly<T>(work: impl Future<Output = T>) -> T {
    tokio::join!(work, sleep(EVEN)).0
}

crate::texts! {
    /// What stands in the fragment of a mailed link.
    LinkToken { length: 1..=512, example: "AZCzoHwefSqfADpcbn-Akam1Qm8xS0nNQe0dX1p3cWJ0Yk5vU1pHeUx3T2J1d2Rn" }
}

/// A mailed link.
#[derive(Object)]
pub(crate) struct EmailLinkToken {
    /// What stands in its fragment.
    pub(crate) token: LinkToken,
}

/// A mailed link, and what keeps a new account or gives it another password.
#[derive(Object)]
#[oai(rename = "EmailVerification")]
struct Verification {
    /// What stands in the fragment of the link.
    token: LinkToken,
    /// The password that was set at registration: it stays.
    #[oai(nullable)]
    password: Option<LoginPassword>,
    /// Or another one: every session of the account ends. It is preferred to `password`.
    #[oai(nullable)]
    new_password: Option<Password>,
}

/// A mailbox.
#[derive(Object)]
struct EmailAddressRequest {
    /// Its address.
    email: Email,
}

/// A mailed link, and a new password.
#[derive(Object)]
struct PasswordReset {
    /// What stands in its fragment.
    token: LinkToken,
    /// To log in with from now on.
    password: Password,
}

/// What following a link came to.
#[derive(Object, Serialize)]
struct LinkResult {
    /// The address that is verified now.
    email: Email,
    /// Sets a new password at `POST /auth/password/reset`; null where there is one that is good.
    #[oai(nullable)]
    password_reset_token: Option<LinkToken>,
}

#[OpenApi(tag = "Tag::Authentication")]
impl EmailLinksApi {
    /// Verify an e-mail address
    ///
    /// By the token of a mailed link: of a new account, or of a new address of an account. A new account keeps its
    /// password and its sessions if one of its sessions asks, or if `password` is the one that was set at registration.
    /// Otherwise somebody else may have registered it: 409 `PASSWORD_REQUIRED`, and the link stays good. `new_password` sets
    /// another password and ends every session. A wrong `password` counts as one at log-in does.
    #[oai(path = "/auth/email/verify", method = "post", operation_id = "verifyEmail")]
    async fn verify(
        &self,
        request: &Request,
        anybody: Anonymous,
        verification: StrictJson<Verification>,
    ) -> Result<JsonResponse<LinkResult>, WithLinkErrors<409, 401>> {
        let State { db, mail, .. } = &*self.0;
        let me = extractors::if_any(&self.0, request).await?;
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

    /// Undo a change of my e-mail address
    ///
    /// By the token of the link that was mailed to the old address, which comes back. Password and sessions end, since
    /// whoever changed it had both; `password_reset_token` of the answer sets a new password.
    #[oai(path = "/auth/email/undo", method = "post", operation_id = "undoEmailChange")]
    async fn undo(
        &self,
        anybody: Anonymous,
        link: StrictJson<EmailLinkToken>,
    ) -> Result<JsonResponse<LinkResult>, WithLinkErrors<409>> {
        let State { db, mail, .. } = &*self.0;
        let link = one_time_tokens::find(db, &link.value.token.0, &[TokenPurpose::Undo]).await?;
        let mut tx = db.begin_global(anybody.origin).await?;
        let proved = email_links::undo(&mut tx, mail, &link).await?;
        tx.commit().await?;
        Ok(JsonResponse(proved.into()))
    }

    /// Ask for the verification mail again
    ///
    /// The answer is the same, and takes as long, whether there is an account to be verified.
    #[oai(path = "/auth/email/resend", method = "post", operation_id = "resendVerification")]
    async fn resend(
        &self,
        request: &Request,
        anybody: Anonymous,
        mailbox: StrictJson<EmailAddressRequest>,
    ) -> Result<Accepted, WithForbidden> {
        let email = mailbox.value.parse()?;
        self.count(request, &email).await?;
        evenly(async {
            let tx = self.0.db.begin_global(anybody.origin).await?;
            email_links::resend(&tx, &self.0.mail, &email).await?;
            tx.commit().await
        })
        .await?;
        Ok(IF_ANY)
    }

    /// Ask for a link that sets a new password
    ///
    /// The answer is the same, and takes as long, whether there is an account.
    #[oai(path = "/auth/password/forgot", method = "post", operation_id = "forgotPassword")]
    async fn forgot(
        &self,
        request: &Request,
        anybody: Anonymous,
        mailbox: StrictJson<EmailAddressRequest>,
    ) -> Result<Accepted, WithForbidden> {
        let email = mailbox.value.parse()?;
        self.count(request, &email).await?;
        evenly(async {
            let tx = self.0.db.begin_global(anybody.origin).await?;
            email_links::request_password_reset(&tx, &self.0.mail, &email).await?;
            tx.commit().await
        })
        .await?;
        Ok(IF_ANY)
    }

    /// Set a new password by a mailed link
    ///
    /// It verifies the address too, and ends every session. A password that is refused does not use up the link.
    #[oai(path = "/auth/password/reset", method = "post", operation_id = "resetPassword")]
    async fn reset(
        &self,
        anybody: Anonymous,
        reset: StrictJson<PasswordReset>,
    ) -> Result<JsonResponse<LinkResult>, WithLinkErrors> {
        let State { db, passwords, .. } = &*self.0;
        let PasswordReset { token, password } = reset.value;
        // First: whoever has no link shall not make us hash.
        let link = one_time_tokens::find(db, &token.0, &[TokenPurpose::Reset]).await?;
        let password = Secret::new(password.0);
        let hash = passwords.hash(password.clone()).await?;
        let mut tx = db.begin_global(anybody.origin).await?;
        let proved = email_links::reset(&mut tx, &link, &password, hash).await?;
        tx.commit().await?;
        Ok(JsonResponse(proved.into()))
    }

    /// Change my e-mail address
    ///
    /// Needs a recent log-in. Where mail can be sent, the new address is asked to confirm (202), and the old one is told,
    /// with a link that undoes it for a week; elsewhere it is changed at once (200).
    #[oai(path = "/users/me/email", method = "post", operation_id = "changeMyEmail", tag = "Tag::Me")]
    async fn change(
        &self,
        request: &Request,
        me: RecentLogin,
        mailbox: StrictJson<EmailAddressRequest>,
    ) -> Result<OrAccepted<WithEtag<User>>, WithConflict> {
        let RecentLogin(me) = me;
        let email = mailbox.value.parse()?;
        self.count(request, &email).await?;
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
            None => Ok(OrAccepted::Accepted(LOOK)),
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

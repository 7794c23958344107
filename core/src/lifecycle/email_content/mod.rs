//! The content of the e-mails of jobs. It is queried when an e-mail is sent, because a job contains only ids, and the
//! data can have changed since it was enqueued.

mod invitation;
mod content;
mod transfer;
#[cfg(test)]
mod tests;

use sea_orm::{
    ColumnTrait, FromQueryResult, IdenStatic,
    sea_query::{Asterisk, Query, SimpleExpr},
};

pub use content::{Composition, EmailContent, EmailDevice, InvitationNames, Link, Template};

use crate::{
    Result,
    base::{
        ids::{OneTimeTokenId, SessionId, UserId},
        text::without_links,
    },
    identity::{
        one_time_tokens::{self, EmailTokens, OneTimeToken},
        sessions::{self, Session},
        users::{self, User},
    },
    storage::{
        db::{Db, Unscoped},
        outbox::Job,
    },
};

/// Maximum characters of a device name in an e-mail.
const LONGEST: usize = 80;

/// Composes the e-mail of `job`, or returns why it is not needed. Links start with `public_url`.
///
/// # Errors
/// Errors of the database. The job must then be retried.
pub async fn compose(db: &Db, mail: &EmailTokens, public_url: &str, job: &Job) -> Result<Composition> {
    #[expect(
        clippy::disallowed_methods,
        reason = "users, sessions and links belong to no organization, and recipients of invitations are in none"
    )]
    let tx = db.unscoped().await?;
    let composer = Composer { tx, mail, public_url, template: Template::of(job) };
    match *job {
        Job::SendWelcome { user } => composer.to_active(user).await,
        Job::SendAlreadyRegistered { user } | Job::SendPasswordChanged { user } => {
            composer.to_not_deleted(user).await
        }
        Job::SendNewDevice { user, session } | Job::SendRefreshReuse { user, session } => {
            composer.about_login(user, session).await
        }
        Job::SendAccountDeleted { user } => composer.to_deleted(user).await,
        Job::SendVerification { token }
        | Job::SendPasswordReset { token }
        | Job::SendEmailChange { token } => composer.with_link(token, User::can_log_in).await,
        // A deactivated user can still undo a change by an attacker.
        Job::SendEmailChangeNotice { token } => composer.with_link(token, User::is_not_deleted).await,
        Job::SendInvitation { token } => composer.about_invitation(token).await,
        Job::SendOwnershipOffered { transfer } => composer.about_transfer(transfer).await,
    }
}

impl User {
    fn is_not_deleted(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// Whether the user can do what a link offers.
    fn can_log_in(&self) -> bool {
        self.is_not_deleted() && self.is_active
    }
}

/// Composes one e-mail.
struct Composer<'a> {
    tx: Unscoped,
    mail: &'a EmailTokens,
    public_url: &'a str,
    template: Template,
}

impl Composer<'_> {
    async fn to_active(&self, user: UserId) -> Result<Composition> {
        self.to(user, |user| match user.can_log_in() {
            true => None,
            false => Some("the account was deleted or deactivated"),
        })
        .await
    }

    async fn to_not_deleted(&self, user: UserId) -> Result<Composition> {
        self.to(user, |user| (!user.is_not_deleted()).then_some("the account was deleted")).await
    }

    /// An e-mail to a user, unless `skip_reason` returns a reason not to send it.
    async fn to(&self, user: UserId, skip_reason: fn(&User) -> Option<&'static str>) -> Result<Composition> {
        let Some(user) = self.user(user).await? else { return Ok(skip_missing()) };
        Ok(match skip_reason(&user) {
            Some(reason) => skip(&user, reason),
            None => Composition::Send(self.content(&user)),
        })
    }

    /// An e-mail about a login. It is sent after the session ends, but not after its row is deleted.
    async fn about_login(&self, user: UserId, session: SessionId) -> Result<Composition> {
        let Some(user) = self.user(user).await? else { return Ok(skip_missing()) };
        if !user.is_not_deleted() {
            return Ok(skip(&user, "the account was deleted"));
        }
        let session = self.one::<Session>(sessions::Entity, sessions::Column::Id.eq(session)).await?;
        let Some(session) = session else { return Ok(skip(&user, "the session no longer exists")) };
        let name = session.device_name.or(session.user_agent);
        let name = name.map(|name| without_links(&name.chars().take(LONGEST).collect::<String>()));
        let device = Some(EmailDevice { name, ip: session.ip, at: session.auth_time });
        Ok(Composition::Send(EmailContent { device, ..self.content(&user) }))
    }

    async fn to_deleted(&self, user: UserId) -> Result<Composition> {
        let Some(user) = self.user(user).await? else { return Ok(skip_missing()) };
        Ok(match user.is_not_deleted() {
            true => skip(&user, "the account was restored"),
            false => Composition::Send(EmailContent { until: user.purge_after, ..self.content(&user) }),
        })
    }

    async fn with_link(&self, token: OneTimeTokenId, is_for: fn(&User) -> bool) -> Result<Composition> {
        let token = one_time_tokens::Column::Id.eq(token);
        let Some(token) = self.one::<OneTimeToken>(one_time_tokens::Entity, token).await? else {
            return Ok(skip_missing());
        };
        let to = ascii_address(&token.email, &token.email_canonical);
        let user = match token.user_id {
            Some(user) => self.user(user).await?,
            None => None,
        };
        let reason = match &user {
            _ if token.used_at.is_some() => "its link was used or replaced by a newer one",
            _ if token.expires_at <= self.tx.now() => "its link has expired",
            Some(user) if is_for(user) => {
                let Some(url) = self.mail.link(self.public_url, &token) else {
                    let reason = "its link was created with another INSULA_SECRET_KEY";
                    return Ok(Composition::Skip { to, reason });
                };
                let lifetime = (token.expires_at - token.created_at).to_std().unwrap_or_default();
                let link = Some(Link { url, lifetime, expires_at: token.expires_at });
                // A new e-mail address is unverified until its link is followed.
                let name = self.content(user).name.filter(|_| token.email_canonical == user.email_canonical);
                return Ok(Composition::Send(EmailContent { to, link, name, ..self.content(user) }));
            }
            _ => "the account was deleted or deactivated",
        };
        Ok(Composition::Skip { to, reason })
    }

    fn content(&self, user: &User) -> EmailContent {
        EmailContent {
            to: ascii_address(&user.email, &user.email_canonical),
            template: self.template,
            locale: user.locale.clone(),
            name: user.email_verified_at.and_then(|_| name(user)),
            link: None,
            device: None,
            until: None,
            invitation: None,
        }
    }

    /// The user, unless anonymized.
    async fn user(&self, user: UserId) -> Result<Option<User>> {
        let user: Option<User> = self.one(users::Entity, users::Column::Id.eq(user)).await?;
        Ok(user.filter(|user| user.is_not_deleted() || user.purge_after.is_some()))
    }

    async fn one<M: FromQueryResult + Send + Sync>(
        &self,
        table: impl IdenStatic + 'static,
        condition: SimpleExpr,
    ) -> Result<Option<M>> {
        let mut query = Query::select();
        query.column(Asterisk).from(table).and_where(condition);
        Ok(self.tx.rows(&query).await?.into_iter().next())
    }
}

/// No recipient is left.
const fn skip_missing() -> Composition {
    Composition::Skip { to: String::new(), reason: "the object of this e-mail no longer exists" }
}

fn skip(user: &User, reason: &'static str) -> Composition {
    Composition::Skip { to: ascii_address(&user.email, &user.email_canonical), reason }
}

/// The name that the user chose; never a part of the e-mail address.
fn name(user: &User) -> Option<String> {
    let has_name = user.first_name.is_some() || user.last_name.is_some() || user.username.is_some();
    has_name.then(|| user.display_name())
}

/// An e-mail address that every mail server understands: its domain is in the canonical ASCII form (RFC 5890).
fn ascii_address(entered: &str, canonical: &str) -> String {
    let local = entered.rsplit_once('@').map(|(local, _)| local);
    let domain = canonical.rsplit_once('@').map(|(_, domain)| domain);
    match (local, domain) {
        (Some(local), Some(domain)) => format!("{local}@{domain}"),
        _ => entered.to_owned(),
    }
}

//! What the mails of jobs say: looked up when they are sent, since a job holds ids only, and much may have changed since
//! it was asked for.

mod invitation;
mod content;
mod transfer;
#[cfg(test)]
mod tests;

use sea_orm::{
    ColumnTrait, FromQueryResult, IdenStatic,
    sea_query::{Asterisk, Query, SimpleExpr},
};

pub use content::{Composed, Device, EmailContent, InvitationNames, Link, Template};

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

/// Most characters that are shown of a device's name.
const LONGEST: usize = 80;

/// What the mail of `job` says, or why none is to be sent. Links lead below `public_url`.
///
/// # Errors
/// Whatever the database refuses; nothing is known then, and the job is to be tried again.
pub async fn compose(db: &Db, mail: &EmailTokens, public_url: &str, job: &Job) -> Result<Composed> {
    #[expect(
        clippy::disallowed_methods,
        reason = "people, their log-ins and links belong to no organization; whom a link invites is in none"
    )]
    let tx = db.unscoped().await?;
    let desk = Composer { tx, mail, public_url, template: Template::of(job) };
    match *job {
        Job::SendWelcome { user } => desk.to_active(user).await,
        Job::SendAlreadyRegistered { user } | Job::SendPasswordChanged { user } => desk.to_living(user).await,
        Job::SendNewDevice { user, session } | Job::SendRefreshReuse { user, session } => {
            desk.of_log_in(user, session).await
        }
        Job::SendAccountDeleted { user } => desk.to_deleted(user).await,
        Job::SendVerification { token }
        | Job::SendPasswordReset { token }
        | Job::SendEmailChange { token } => desk.with_link(token, User::is_welcome).await,
        // Who was shut out can still undo what a thief changed before.
        Job::SendEmailChangeNotice { token } => desk.with_link(token, User::is_living).await,
        Job::SendInvitation { token } => desk.of_invitation(token).await,
        Job::SendOwnershipOffered { transfer } => desk.of_offer(transfer).await,
    }
}

impl User {
    fn is_living(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// May he do what a link offers?
    fn is_welcome(&self) -> bool {
        self.is_living() && self.is_active
    }
}

/// Where one letter is written.
struct Composer<'a> {
    tx: Unscoped,
    mail: &'a EmailTokens,
    public_url: &'a str,
    template: Template,
}

impl Composer<'_> {
    async fn to_active(&self, user: UserId) -> Result<Composed> {
        self.to(user, |user| match user.is_welcome() {
            true => None,
            false => Some("the account was deleted or deactivated"),
        })
        .await
    }

    async fn to_living(&self, user: UserId) -> Result<Composed> {
        self.to(user, |user| (!user.is_living()).then_some("the account was deleted")).await
    }

    /// A letter to a person, unless there is a reason against it.
    async fn to(&self, user: UserId, against: fn(&User) -> Option<&'static str>) -> Result<Composed> {
        let Some(user) = self.user(user).await? else { return Ok(gone()) };
        Ok(match against(&user) {
            Some(reason) => needless(&user, reason),
            None => Composed::Send(self.letter(&user)),
        })
    }

    /// He wants to know, also when the session is long over; not when nothing is left of it to tell.
    async fn of_log_in(&self, user: UserId, session: SessionId) -> Result<Composed> {
        let Some(user) = self.user(user).await? else { return Ok(gone()) };
        if !user.is_living() {
            return Ok(needless(&user, "the account was deleted"));
        }
        let session = self.one::<Session>(sessions::Entity, sessions::Column::Id.eq(session)).await?;
        let Some(session) = session else { return Ok(needless(&user, "the session no longer exists")) };
        let name = session.device_name.or(session.user_agent);
        let name = name.map(|name| without_links(&name.chars().take(LONGEST).collect::<String>()));
        let device = Some(Device { name, ip: session.ip, at: session.auth_time });
        Ok(Composed::Send(EmailContent { device, ..self.letter(&user) }))
    }

    async fn to_deleted(&self, user: UserId) -> Result<Composed> {
        let Some(user) = self.user(user).await? else { return Ok(gone()) };
        Ok(match user.is_living() {
            true => needless(&user, "the account was restored"),
            false => Composed::Send(EmailContent { until: user.purge_after, ..self.letter(&user) }),
        })
    }

    async fn with_link(&self, token: OneTimeTokenId, is_for: fn(&User) -> bool) -> Result<Composed> {
        let token = one_time_tokens::Column::Id.eq(token);
        let Some(token) = self.one::<OneTimeToken>(one_time_tokens::Entity, token).await? else {
            return Ok(gone());
        };
        let to = mailbox(&token.email, &token.email_canonical);
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
                    return Ok(Composed::Skip { to, reason });
                };
                let lifetime = (token.expires_at - token.created_at).to_std().unwrap_or_default();
                let link = Some(Link { url, lifetime, expires_at: token.expires_at });
                // The mailbox of a new address is anybody's until he has followed the link.
                let name = self.letter(user).name.filter(|_| token.email_canonical == user.email_canonical);
                return Ok(Composed::Send(EmailContent { to, link, name, ..self.letter(user) }));
            }
            _ => "the account was deleted or deactivated",
        };
        Ok(Composed::Skip { to, reason })
    }

    fn letter(&self, user: &User) -> EmailContent {
        EmailContent {
            to: mailbox(&user.email, &user.email_canonical),
            template: self.template,
            locale: user.locale.clone(),
            name: user.email_verified_at.and_then(|_| name(user)),
            link: None,
            device: None,
            until: None,
            invitation: None,
        }
    }

    /// The person, unless he is forgotten.
    async fn user(&self, user: UserId) -> Result<Option<User>> {
        let user: Option<User> = self.one(users::Entity, users::Column::Id.eq(user)).await?;
        Ok(user.filter(|user| user.is_living() || user.purge_after.is_some()))
    }

    async fn one<M: FromQueryResult + Send + Sync>(
        &self,
        table: impl IdenStatic + 'static,
        is_it: SimpleExpr,
    ) -> Result<Option<M>> {
        let mut query = Query::select();
        query.column(Asterisk).from(table).and_where(is_it);
        Ok(self.tx.rows(&query).await?.into_iter().next())
    }
}

/// Nobody is left to be written to.
const fn gone() -> Composed {
    Composed::Skip { to: String::new(), reason: "the object of this e-mail no longer exists" }
}

fn needless(user: &User, reason: &'static str) -> Composed {
    Composed::Skip { to: mailbox(&user.email, &user.email_canonical), reason }
}

/// The names somebody gave himself; never a part of his address, which would greet him oddly.
fn name(user: &User) -> Option<String> {
    let has_name = user.first_name.is_some() || user.last_name.is_some() || user.username.is_some();
    has_name.then(|| user.display_name())
}

/// An address that every mail server understands: its domain is that of its canonical form, in ASCII (RFC 5890).
fn mailbox(typed: &str, canonical: &str) -> String {
    let local = typed.rsplit_once('@').map(|(local, _)| local);
    let domain = canonical.rsplit_once('@').map(|(_, domain)| domain);
    match (local, domain) {
        (Some(local), Some(domain)) => format!("{local}@{domain}"),
        _ => typed.to_owned(),
    }
}

//! `/users/me`: what a person does with his own account.

use std::sync::Arc;

use insula_core::{
    Error,
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        ids::OrgId,
        text,
    },
    identity::{
        credentials::{self, PasswordProof},
        users::{self, ProfileChanges},
    },
    lifecycle::accounts,
    tenancy::authorization::Caller,
};
use poem::Request;
use poem_openapi::{Object, OpenApi, param::Header, types::MaybeUndefined};
use uuid::Uuid;

use super::me::{User, WeekStart};
use crate::routes::{Tag, auth::sessions::LoginPassword};
use crate::{
    auth::extractors::{RecentLogin, SignedIn, SignedInUnverified},
    body::{MergePatch, StrictJson},
    http::{Accepted, EntityTag, IfMatch, Locale, Name, Password, TimeZone, Username, WithEtag},
    problem::{Result, WithConflict},
    state::State,
};

pub struct ProfileApi(pub Arc<State>);

/// What is to change: absent is unchanged, `null` is cleared.
#[derive(Object)]
pub(crate) struct ProfileUpdate {
    /// Given name.
    #[oai(nullable)]
    pub(crate) first_name: MaybeUndefined<Name>,
    /// Family name.
    #[oai(nullable)]
    pub(crate) last_name: MaybeUndefined<Name>,
    /// To log in with, too; unique without regard to case.
    #[oai(nullable)]
    pub(crate) username: MaybeUndefined<Username>,
    /// The language of what is written to the person.
    pub(crate) locale: Option<Locale>,
    /// The time zone that times are shown in; data stay in UTC.
    pub(crate) timezone: Option<TimeZone>,
    /// The first day of the week.
    pub(crate) week_start: Option<WeekStart>,
    /// An organization of his; `null`: where he has been for the longest time.
    #[oai(nullable)]
    pub(crate) default_organization_id: MaybeUndefined<Uuid>,
}

/// Another password.
#[derive(Object)]
struct PasswordChange {
    /// The one that is to be replaced.
    current_password: LoginPassword,
    /// The one to log in with from now on.
    password: Password,
}

#[OpenApi(tag = "Tag::Me")]
impl ProfileApi {
    /// Change my profile
    #[oai(path = "/users/me", method = "patch", operation_id = "updateMe")]
    async fn change(
        &self,
        me: SignedInUnverified,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<ProfileUpdate>,
    ) -> Result<WithEtag<User>, WithConflict> {
        let changes = ProfileChanges::try_from(patch.body()?)?;
        let tx = self.0.db.begin_global(me.0.caller.origin()).await?;
        let expected = IfMatch::expected(expected.0);
        let user = accounts::change_profile(&tx, me.0.user.id, changes, &expected).await?;
        tx.commit().await?;
        let user = accounts::with_default_organization(&self.0.db, user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }

    /// Change my password
    ///
    /// Every other log-in ends, and a notice is mailed. The current password is the proof: no recent log-in is needed. A wrong
    /// one counts as one at log-in does: after five in 15 minutes each one has to wait.
    #[oai(path = "/users/me/password", method = "put", operation_id = "changeMyPassword")]
    async fn change_password(
        &self,
        request: &Request,
        me: SignedIn,
        body: StrictJson<PasswordChange>,
    ) -> Result<WithEtag<User>> {
        let State { db, passwords, .. } = &*self.0;
        let PasswordChange { current_password, password } = body.value;
        let (field, current) = ("current_password", Secret::new(current_password.0));
        let proof = self.0.confirm(request, &me, field, current).await?;
        let SignedIn { user, caller, .. } = me;
        let password = Secret::new(password.0);
        let about = [Some(user.email.as_str()), user.username.as_deref()];
        credentials::refuse_weak("password", &password, &about.into_iter().flatten().collect::<Vec<_>>())?;
        let hash = passwords.hash(password).await?;
        let tx = db.begin_global(caller.origin()).await?;
        let user = accounts::change_password(&tx, &proof, field, caller.claims.session, hash).await?;
        tx.commit().await?;
        let user = accounts::with_default_organization(db, user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }

    /// Delete my account
    ///
    /// Every log-in ends at once, and my own organization is deleted with it. For 14 days an operator can bring both back;
    /// then they are forgotten. Needs a recent log-in; the only owner of an organization makes somebody else an owner first.
    #[oai(path = "/users/me", method = "delete", operation_id = "deleteMe")]
    async fn remove(&self, me: RecentLogin<false>) -> Result<Accepted, WithConflict> {
        let tx = self.0.db.begin_global(me.0.caller.origin()).await?;
        let removed = accounts::remove(&tx, me.0.user.id, accounts::SELF_DELETE_GRACE).await;
        removed.map_err(|error| match error {
            // Deleted by another request in this moment, which ended this session, too.
            Error::NotFound(_) => ErrorCode::InvalidToken.refuse(),
            error => error,
        })?;
        tx.commit().await?;
        Ok(Accepted(
            "Your account is deleted. The operator of this installation can restore it within 14 days. After that, your data is removed permanently.",
        ))
    }
}

impl State {
    /// The proof that `password`, which the body calls `field`, is that of the person who is signed in.
    pub(crate) async fn confirm(
        &self,
        request: &Request,
        me: &SignedIn,
        field: &str,
        password: Secret<String>,
    ) -> Result<PasswordProof, Error> {
        let Caller { claims, inquiry, trail, .. } = &me.caller;
        let whence = self.whence(request, inquiry.ip.as_deref());
        let who = (me.user.id, Some(claims.session));
        self.verifier().confirm(who, (field, password), whence, trail).await
    }
}

/// `None`: unchanged; `Some(None)`: cleared.
fn change<T, U>(
    fields: &mut FieldErrors,
    field: &str,
    value: MaybeUndefined<T>,
    parse: impl FnOnce(T) -> Result<U, text::InvalidText>,
) -> Option<Option<U>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => fields.parse(field, parse(value)).map(Some),
    }
}

impl ProfileUpdate {
    /// What it says; what is wrong is noted in `fields`.
    pub(crate) fn read(self, fields: &mut FieldErrors) -> ProfileChanges {
        let name = |name: Name| text::Name::parse(&name.0);
        ProfileChanges {
            first_name: change(fields, "first_name", self.first_name, name),
            last_name: change(fields, "last_name", self.last_name, name),
            username: change(fields, "username", self.username, |name| text::Username::parse(&name.0)),
            locale: fields.parse_optional("locale", self.locale.map(|tag| text::Locale::parse(&tag.0))),
            timezone: fields
                .parse_optional("timezone", self.timezone.map(|zone| text::TimeZone::parse(&zone.0))),
            week_start: self.week_start.map(Into::into),
            default_organization: change(
                fields,
                "default_organization_id",
                self.default_organization_id,
                |id| Ok(OrgId(id)),
            ),
        }
    }
}

impl TryFrom<ProfileUpdate> for ProfileChanges {
    type Error = Error;

    fn try_from(patch: ProfileUpdate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let changes = patch.read(&mut fields);
        fields.into_result()?;
        Ok(changes)
    }
}

impl From<WeekStart> for users::WeekStart {
    fn from(day: WeekStart) -> Self {
        match day {
            WeekStart::Monday => Self::Monday,
            WeekStart::Saturday => Self::Saturday,
            WeekStart::Sunday => Self::Sunday,
        }
    }
}

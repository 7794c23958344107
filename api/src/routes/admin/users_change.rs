//! `PATCH /admin/users/{user}`: what operators of the platform change of an account.

use std::sync::Arc;

use insula_core::{
    base::{error::FieldErrors, ids::UserId, text},
    identity::users,
    lifecycle::accounts::{self, AccountChanges},
};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::MaybeUndefined,
};

use super::{super::Tag, users::AdminUser};
use crate::routes::account::{me::WeekStart, profile::ProfileUpdate};
use crate::{
    auth::extractors::SuperuserOnly,
    body::MergePatch,
    http::{Email, EntityTag, Id, IfMatch, Locale, Name, TimeZone, Username, WithEtag},
    problem::{Problem, Result, WithConflict},
    state::State,
};

pub struct UserUpdatesApi(pub Arc<State>);

/// What is to change: absent is unchanged, `null` is cleared.
#[derive(Object)]
struct AdminUserUpdate {
    /// To log in with; the operator answers for it being the person's.
    email: Option<Email>,
    /// Given name.
    #[oai(nullable)]
    first_name: MaybeUndefined<Name>,
    /// Family name.
    #[oai(nullable)]
    last_name: MaybeUndefined<Name>,
    /// To log in with, too; unique without regard to case.
    #[oai(nullable)]
    username: MaybeUndefined<Username>,
    /// The language of what is written to the person.
    locale: Option<Locale>,
    /// The time zone that times are shown in; data stay in UTC.
    timezone: Option<TimeZone>,
    /// The first day of the week.
    week_start: Option<WeekStart>,
    /// Is he to be an operator of the platform? Only whose address is verified can be.
    is_superuser: Option<bool>,
}

#[OpenApi(tag = "Tag::Platform")]
impl UserUpdatesApi {
    /// Change an account
    ///
    /// With another `email`, which counts as verified, every log-in and every mailed link of his ends; if the address before
    /// was never verified, so does the password, and he asks for a new one. The only active operator stays one.
    #[oai(path = "/admin/users/:user", method = "patch", operation_id = "updateUser")]
    async fn change(
        &self,
        me: SuperuserOnly,
        user: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<AdminUserUpdate>,
    ) -> Result<WithEtag<AdminUser>, WithConflict> {
        let user = UserId(user.0.0);
        let changes = match patch.body().and_then(|patch| Ok(AccountChanges::try_from(patch)?)) {
            Ok(changes) => changes,
            Err(refused) => return Err(self.refuse(user, refused).await.into()),
        };
        let tx = self.0.db.begin_global(me.origin()).await?;
        let expected = IfMatch::expected(expected.0);
        let user = accounts::change(&tx, user, changes, &expected).await?;
        tx.commit().await?;
        let user = accounts::with_default_organization(&self.0.db, user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }
}

impl UserUpdatesApi {
    /// The refusal of a body, where there is such an account; otherwise there was nothing to change.
    async fn refuse(&self, user: UserId, refused: Problem) -> Problem {
        match users::find(&self.0.db, user).await {
            Ok(user) if user.deleted_at.is_none() => refused,
            Ok(_) => Problem(insula_core::Error::NotFound("user")),
            Err(error) => Problem(error),
        }
    }
}

impl TryFrom<AdminUserUpdate> for AccountChanges {
    type Error = insula_core::Error;

    fn try_from(patch: AdminUserUpdate) -> Result<Self, Self::Error> {
        let AdminUserUpdate {
            email,
            first_name,
            last_name,
            username,
            locale,
            timezone,
            week_start,
            is_superuser,
        } = patch;
        let default_organization_id = MaybeUndefined::Undefined;
        let profile = ProfileUpdate {
            first_name,
            last_name,
            username,
            locale,
            timezone,
            week_start,
            default_organization_id,
        };
        let mut fields = FieldErrors::default();
        let profile = profile.read(&mut fields);
        let email = fields.parse_optional("email", email.map(|email| text::EmailAddress::parse(&email.0)));
        fields.into_result()?;
        Ok(Self { profile, email, is_superuser })
    }
}

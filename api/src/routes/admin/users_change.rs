//! `PATCH /admin/users/{user}`: update the account of a user.

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
use crate::routes::account::{me::WeekStartName, profile::ProfileUpdate};
use crate::{
    auth::extractors::SuperuserOnly,
    body::{MergePatch, missing_first},
    http::{Email, EntityTag, Id, IfMatch, Locale, Name, TimeZone, Username, WithEtag},
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct UserUpdatesApi(pub Arc<AppState>);

/// Changes to the account of a user. Absent fields stay unchanged; `null` clears a field.
#[derive(Object)]
struct AdminUserUpdate {
    /// E-mail address, used to log in. It counts as verified, so make sure that it belongs to the user.
    email: Option<Email>,
    /// Given name of the user. `null` removes it.
    #[oai(nullable)]
    first_name: MaybeUndefined<Name>,
    /// Family name of the user. `null` removes it.
    #[oai(nullable)]
    last_name: MaybeUndefined<Name>,
    /// Username, which can be used to log in instead of the e-mail address. Unique regardless of case. `null`
    /// removes it.
    #[oai(nullable)]
    username: MaybeUndefined<Username>,
    /// Language of e-mails to the user (BCP 47).
    locale: Option<Locale>,
    /// Time zone in which times are shown to the user (IANA name). Stored times are in UTC.
    timezone: Option<TimeZone>,
    /// First day of the week of the user.
    week_start: Option<WeekStartName>,
    /// Whether the user is a superuser, who administers the platform. This requires a verified e-mail
    /// address.
    is_superuser: Option<bool>,
}

#[OpenApi(tag = "Tag::Platform")]
impl UserUpdatesApi {
    /// Update a user
    ///
    /// A new `email` counts as verified. It revokes all sessions of the user and invalidates all links
    /// e-mailed to them. If the previous e-mail address was never verified, the password is removed too, and
    /// the user has to request a new one. The only active superuser must stay one (`LAST_SUPERUSER`).
    #[oai(path = "/admin/users/:user", method = "patch", operation_id = "updateUser")]
    async fn change(
        &self,
        me: SuperuserOnly,
        user: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<AdminUserUpdate>,
    ) -> Result<WithEtag<AdminUser>, WithConflict> {
        let user = UserId(user.0.0);
        let changes = missing_first(patch.changes::<AccountChanges>(), self.exists(user)).await?;
        let tx = self.0.db.begin_global(me.origin()).await?;
        let expected = IfMatch::expected(expected.0);
        let user = accounts::change(&tx, user, changes, &expected).await?;
        tx.commit().await?;
        let user = accounts::with_default_organization(&self.0.db, user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }
}

impl UserUpdatesApi {
    /// Returns `NotFound` if there is no such account, or if it is deleted.
    async fn exists(&self, user: UserId) -> Result<(), insula_core::Error> {
        match users::find(&self.0.db, user).await?.deleted_at {
            None => Ok(()),
            Some(_) => Err(insula_core::Error::NotFound("user")),
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

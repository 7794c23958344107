//! `/users/me`: users update their profile, change their password and delete their account.

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

use super::me::{User, WeekStartName};
use crate::routes::{Tag, auth::sessions::LoginPassword};
use crate::{
    auth::extractors::{RecentLogin, SignedIn, SignedInUnverified},
    body::{MergePatch, StrictJson, parse_change},
    http::{Accepted, EntityTag, IfMatch, Locale, Name, Password, TimeZone, Username, WithEtag},
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct ProfileApi(pub Arc<AppState>);

/// Changes to a user's profile. Absent fields stay unchanged; `null` clears a field.
#[derive(Object)]
pub(crate) struct ProfileUpdate {
    /// Given name of the user; `null` clears it.
    #[oai(nullable)]
    pub(crate) first_name: MaybeUndefined<Name>,
    /// Family name of the user; `null` clears it.
    #[oai(nullable)]
    pub(crate) last_name: MaybeUndefined<Name>,
    /// Username to log in with, unique without regard to case; `null` clears it.
    #[oai(nullable)]
    pub(crate) username: MaybeUndefined<Username>,
    /// Language of the e-mails to the user, as a BCP 47 language tag.
    pub(crate) locale: Option<Locale>,
    /// IANA time zone in which times are shown to the user. The API always uses UTC.
    pub(crate) timezone: Option<TimeZone>,
    /// First day of the user's week.
    pub(crate) week_start: Option<WeekStartName>,
    /// Id of the default organization, of which the user must be an active member. With `null`, the default
    /// is the organization of the oldest membership.
    #[oai(nullable)]
    pub(crate) default_organization_id: MaybeUndefined<Uuid>,
}

/// A password change.
#[derive(Object)]
struct PasswordChange {
    /// The current password, as proof of identity.
    current_password: LoginPassword,
    /// The new password. Weak passwords are refused.
    password: Password,
}

#[OpenApi(tag = "Tag::Me")]
impl ProfileApi {
    /// Update your profile
    ///
    /// Changes only the fields that you send. This also works before your e-mail address is verified. A
    /// username that another user has is refused with 409 `USERNAME_TAKEN`.
    #[oai(path = "/users/me", method = "patch", operation_id = "updateMe")]
    async fn change(
        &self,
        me: SignedInUnverified,
        /// `ETag` of the version that you read. The request fails with 412 if it has changed since.
        #[oai(name = "If-Match")]
        expected: Header<Option<IfMatch>>,
        patch: MergePatch<ProfileUpdate>,
    ) -> Result<WithEtag<User>, WithConflict> {
        let changes = patch.changes::<ProfileChanges>()?;
        let tx = self.0.db.begin_global(me.0.caller.origin()).await?;
        let expected = IfMatch::expected(expected.0);
        let user = accounts::change_profile(&tx, me.0.user.id, changes, &expected).await?;
        tx.commit().await?;
        let user = accounts::with_default_organization(&self.0.db, user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }

    /// Change your password
    ///
    /// Ends all your other sessions and sends you a notice by e-mail. The current password is the proof of
    /// identity, so no recent login is needed. A wrong one counts like a failed login: after five in 15
    /// minutes, each further attempt has to wait.
    #[oai(path = "/users/me/password", method = "put", operation_id = "changeMyPassword")]
    async fn change_password(
        &self,
        request: &Request,
        me: SignedIn,
        body: StrictJson<PasswordChange>,
    ) -> Result<WithEtag<User>> {
        let AppState { db, passwords, .. } = &*self.0;
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

    /// Delete your account
    ///
    /// Ends all your sessions at once and deletes your personal organization with the account. A superuser
    /// can restore both within 14 days; after that, your data is removed permanently. Requires a login or
    /// re-authentication within the last 10 minutes (by default). If you are the only owner of an
    /// organization, you must first make another member an owner (409 `LAST_OWNER`).
    #[oai(path = "/users/me", method = "delete", operation_id = "deleteMe")]
    async fn remove(&self, me: RecentLogin<false>) -> Result<Accepted, WithConflict> {
        let tx = self.0.db.begin_global(me.0.caller.origin()).await?;
        let removed = accounts::remove(&tx, me.0.user.id, accounts::SELF_DELETE_GRACE).await;
        removed.map_err(|error| match error {
            // Another request deleted the account at the same time, which also ended this session.
            Error::NotFound(_) => ErrorCode::InvalidToken.refuse(),
            error => error,
        })?;
        tx.commit().await?;
        Ok(Accepted(
            "Your account is deleted. The operator of this installation can restore it within 14 days. After that, your data is removed permanently.",
        ))
    }
}

impl AppState {
    /// Verifies the password of the signed-in user. `field` is the name of the body's
    /// field for error messages.
    pub(crate) async fn confirm(
        &self,
        request: &Request,
        me: &SignedIn,
        field: &str,
        password: Secret<String>,
    ) -> Result<PasswordProof, Error> {
        let Caller { claims, inquiry, trail, .. } = &me.caller;
        let login_source = self.login_source(request, inquiry.ip.as_deref());
        let who = (me.user.id, Some(claims.session));
        self.verifier().confirm(who, (field, password), login_source, trail).await
    }
}

impl ProfileUpdate {
    /// Parses the changes; invalid fields are added to `fields`.
    pub(crate) fn read(self, fields: &mut FieldErrors) -> ProfileChanges {
        let name = |name: Name| text::Name::parse(&name.0);
        ProfileChanges {
            first_name: parse_change(fields, "first_name", self.first_name, name),
            last_name: parse_change(fields, "last_name", self.last_name, name),
            username: parse_change(fields, "username", self.username, |name| text::Username::parse(&name.0)),
            locale: fields.parse_optional("locale", self.locale.map(|tag| text::Locale::parse(&tag.0))),
            timezone: fields
                .parse_optional("timezone", self.timezone.map(|zone| text::TimeZone::parse(&zone.0))),
            week_start: self.week_start.map(Into::into),
            default_organization: parse_change(
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

impl From<WeekStartName> for users::WeekStart {
    fn from(day: WeekStartName) -> Self {
        match day {
            WeekStartName::Monday => Self::Monday,
            WeekStartName::Saturday => Self::Saturday,
            WeekStartName::Sunday => Self::Sunday,
        }
    }
}

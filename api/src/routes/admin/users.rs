//! `/admin/users`: list, create, deactivate, delete and restore accounts of users.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        ids::UserId,
    },
    identity::{
        credentials,
        sessions::{self, RevokeScope},
        users::{self, UserFilter, UserKey},
    },
    lifecycle::accounts::{self, NewAccount},
    storage::{db::GlobalTx, idempotency::IdempotentBegin},
};
use poem::Request;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
};
use serde::Serialize;

use super::super::Tag;
use crate::routes::{
    account::me::{Sessions, User},
    auth::registration,
};
use crate::{
    auth::extractors::SuperuserOnly,
    body::StrictJson,
    http::{
        CreatedResponse, Cursor, Email, EntityTag, Id, IdempotencyKey, IfNoneMatch, JsonResponse, Limit,
        ListRequest, Name, NoContent, PageResponse, Password, SearchTerm, Username, WithEtag, sort_keys,
    },
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct AdminUsersApi(pub Arc<AppState>);

crate::texts! {
    /// Hash of a password: a PHC string of Argon2id, or a bcrypt hash that begins with `$2b$`.
    PasswordHash { length: 1..=512, example: "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$SqlVijFGiPG+935vDSGEsA" }
}

/// An account to create, with either a `password` or a `password_hash`.
#[derive(Object)]
struct AdminUserCreate {
    /// E-mail address, used to log in. It counts as verified.
    email: Email,
    /// Password, used to log in. Send either this or `password_hash`.
    #[oai(nullable)]
    password: Option<Password>,
    /// Hash of a password from another system. Send either this or `password`.
    #[oai(nullable)]
    password_hash: Option<PasswordHash>,
    /// Username, which can be used to log in instead of the e-mail address. Unique regardless of case.
    /// `null`: no username.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name of the user. `null`: not specified.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name of the user. `null`: not specified.
    #[oai(nullable)]
    last_name: Option<Name>,
    /// Whether the user is a superuser, who administers the platform. Defaults to `false`.
    #[oai(default)]
    is_superuser: bool,
}

/// The account of a user, as superusers see it.
#[derive(Object, Serialize)]
pub(super) struct AdminUser {
    #[oai(flatten)]
    #[serde(flatten)]
    user: User,
    /// When the account was deleted. `null`: not deleted.
    #[oai(nullable)]
    deleted_at: Option<DateTime<Utc>>,
    /// When the deleted account will be purged. Until then it can be restored. `null`: not deleted.
    #[oai(nullable)]
    purge_after: Option<DateTime<Utc>>,
}

sort_keys! {
    UserSort of UserKey, "With `last_login_at`, users who never logged in come last; with\n`-last_login_at`, they come first.";
    created_at: CreatedAt,
    email: Email,
    last_login_at: LastLoginAt,
}

#[OpenApi(tag = "Tag::Platform")]
impl AdminUsersApi {
    /// List users
    ///
    /// Returns all accounts, newest first by default. Deleted accounts are listed only with `deleted=true`,
    /// until they are purged.
    #[oai(path = "/admin/users", method = "get", operation_id = "listUsers")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<UserSort>>,
        /// Only users whose e-mail address, username, first or last name contains this text, regardless of case and
        /// accents.
        q: Query<Option<SearchTerm>>,
        /// Only users who can log in (`true`), or only deactivated users (`false`).
        is_active: Query<Option<bool>>,
        /// Only superusers (`true`), or only other users (`false`).
        is_superuser: Query<Option<bool>>,
        /// Only users with a verified (`true`) or an unverified (`false`) e-mail address.
        is_verified: Query<Option<bool>>,
        /// With `true`, only deleted users who can be restored; otherwise only users who are not deleted.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<AdminUser>> {
        let term = q.0.map(SearchTerm::parse).transpose()?;
        let filter = UserFilter {
            term,
            is_active: is_active.0,
            is_superuser: is_superuser.0,
            is_verified: is_verified.0,
            is_deleted: deleted.0.unwrap_or_default(),
        };
        let sort = sort.0.unwrap_or(UserSort::descending(UserKey::CreatedAt));
        let paging = ListRequest::new(&self.0.cursors, request, &filter, (limit.0, sort, cursor.0))?;
        let page = accounts::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, AdminUser::from))
    }

    /// Create a user
    ///
    /// Creates an account with a verified e-mail address. No e-mail is sent. Unless the user is a superuser,
    /// they get a personal organization if the installation has this enabled. The error is `EMAIL_TAKEN` or
    /// `USERNAME_TAKEN` if another account has the e-mail address or username.
    #[oai(path = "/admin/users", method = "post", operation_id = "createUser")]
    async fn create(
        &self,
        me: SuperuserOnly,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<AdminUserCreate>,
    ) -> Result<CreatedResponse<AdminUser>, WithConflict> {
        let origin = me.origin();
        let once = key.once(&origin, &draft).map(|once| once.keyed(&self.0.bodies));
        let (new, proof) = draft.value.parse()?;
        let hash = match proof {
            Proof::Hash(hash) => hash,
            Proof::Password(password) => self.0.passwords.hash(password).await?,
        };
        let tx = match self.0.db.begin_global_idempotent(origin, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let user = accounts::create(&tx, new, hash, self.0.personal_organizations).await?;
        let location = format!("/api/v1/admin/users/{}", user.id);
        let answer = CreatedResponse::created(location, EntityTag(user.version), &AdminUser::from(user))?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get a user
    ///
    /// Returns any account. Deleted accounts are included until they are purged.
    #[oai(path = "/admin/users/:user", method = "get", operation_id = "getUser")]
    async fn get(
        &self,
        _me: SuperuserOnly,
        user: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<AdminUser>> {
        let user = users::find(&self.0.db, UserId(user.0.0)).await?;
        let user = accounts::with_default_organization(&self.0.db, user).await?;
        Ok(WithEtag::new(EntityTag(user.version), known.0, || user.into()))
    }

    /// Activate a user
    ///
    /// A deactivated user can log in again. Activating an active user changes nothing.
    #[oai(path = "/admin/users/:user/activate", method = "post", operation_id = "activateUser")]
    async fn activate(&self, me: SuperuserOnly, user: Path<Id>) -> Result<WithEtag<AdminUser>, WithConflict> {
        let tx = self.begin(&me).await?;
        let user = accounts::activate(&tx, UserId(user.0.0)).await?;
        self.finish(tx, user).await
    }

    /// Deactivate a user
    ///
    /// The user can no longer log in. All their sessions are revoked at once, and their timers stop. You
    /// cannot deactivate the only active owner of an organization (`LAST_OWNER`) or the only active superuser
    /// (`LAST_SUPERUSER`).
    #[oai(path = "/admin/users/:user/deactivate", method = "post", operation_id = "deactivateUser")]
    async fn deactivate(
        &self,
        me: SuperuserOnly,
        user: Path<Id>,
    ) -> Result<WithEtag<AdminUser>, WithConflict> {
        let tx = self.begin(&me).await?;
        let user = accounts::deactivate(&tx, UserId(user.0.0)).await?;
        self.finish(tx, user).await
    }

    /// Delete a user
    ///
    /// Deletes the account and its personal organization. Both can be restored for 30 days. All sessions of
    /// the user are revoked, and they are notified by e-mail. You cannot delete the only active owner of an
    /// organization (`LAST_OWNER`) or the only active superuser (`LAST_SUPERUSER`).
    #[oai(path = "/admin/users/:user", method = "delete", operation_id = "deleteUser")]
    async fn remove(&self, me: SuperuserOnly, user: Path<Id>) -> Result<NoContent, WithConflict> {
        let tx = self.begin(&me).await?;
        accounts::remove(&tx, UserId(user.0.0), accounts::ADMIN_DELETE_GRACE).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Restore a user
    ///
    /// Brings back a deleted account with its personal organization and its memberships. The user has to log
    /// in again. The error is `EMAIL_TAKEN` or `USERNAME_TAKEN` if another account has the e-mail address or
    /// username by now.
    #[oai(path = "/admin/users/:user/restore", method = "post", operation_id = "restoreUser")]
    async fn restore(&self, me: SuperuserOnly, user: Path<Id>) -> Result<WithEtag<AdminUser>, WithConflict> {
        let tx = self.begin(&me).await?;
        let user = accounts::restore(&tx, UserId(user.0.0)).await?;
        self.finish(tx, user).await
    }

    /// List the sessions of a user
    ///
    /// Returns the active sessions of the user, one for each login.
    #[oai(path = "/admin/users/:user/sessions", method = "get", operation_id = "listUserSessions")]
    async fn sessions(&self, me: SuperuserOnly, user: Path<Id>) -> Result<JsonResponse<Sessions>> {
        let user = users::find(&self.0.db, UserId(user.0.0)).await?;
        let sessions = sessions::list(&self.0.db, user.id).await?;
        Ok(JsonResponse(Sessions::new(sessions, me.0.caller.claims.session)))
    }

    /// Revoke all sessions of a user
    ///
    /// Logs the user out on all devices at once. They can log in again.
    #[oai(path = "/admin/users/:user/sessions", method = "delete", operation_id = "revokeUserSessions")]
    async fn revoke(&self, me: SuperuserOnly, user: Path<Id>) -> Result<NoContent> {
        let user = users::find(&self.0.db, UserId(user.0.0)).await?;
        let tx = self.begin(&me).await?;
        sessions::revoke(&tx, user.id, RevokeScope::All, "revoked-by-operator").await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

impl AdminUsersApi {
    async fn begin(&self, me: &SuperuserOnly) -> Result<GlobalTx, insula_core::Error> {
        self.0.db.begin_global(me.origin()).await
    }

    async fn finish(&self, tx: GlobalTx, user: users::User) -> Result<WithEtag<AdminUser>, WithConflict> {
        tx.commit().await?;
        let user = accounts::with_default_organization(&self.0.db, user).await?;
        Ok(WithEtag::Present(EntityTag(user.version), user.into()))
    }
}

/// The credential of a new account.
enum Proof {
    Password(Secret<String>),
    Hash(String),
}

impl AdminUserCreate {
    fn parse(self) -> Result<(NewAccount, Proof), insula_core::Error> {
        let mut fields = FieldErrors::default();
        let proof = match (self.password, self.password_hash) {
            (Some(password), None) => {
                let password = Secret::new(password.0);
                registration::refuse_weak(&mut fields, &password, &self.email, self.username.as_ref())?;
                Some(Proof::Password(password))
            }
            (None, Some(hash)) => {
                fields.merge(credentials::check_imported_hash("password_hash", &hash.0))?;
                Some(Proof::Hash(hash.0))
            }
            (Some(_), Some(_)) => {
                let choice = "Send either a password or a password hash, not both.";
                fields.add("password_hash", "NOT_A_CHOICE", choice);
                None
            }
            (None, None) => {
                fields.add("password", "REQUIRED", "Send a password or a password hash.");
                None
            }
        };
        let user =
            registration::person(&mut fields, &self.email, self.username, self.first_name, self.last_name);
        fields.into_result()?;
        let (user, proof) = user.zip(proof).ok_or(ErrorCode::ValidationFailed.refuse())?;
        let is_imported = matches!(proof, Proof::Hash(_));
        Ok((NewAccount { user, is_superuser: self.is_superuser, is_imported }, proof))
    }
}

impl From<users::User> for AdminUser {
    fn from(user: users::User) -> Self {
        let (deleted_at, purge_after) = (user.deleted_at, user.purge_after);
        Self { user: user.into(), deleted_at, purge_after }
    }
}

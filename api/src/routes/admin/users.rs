//! `/admin/users`: accounts, as operators of the platform make and end them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        crypto::Secret,
        error::{ErrorCode, FieldErrors},
        ids::UserId,
        pagination::Sort,
        text,
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
    Enum, Object, OpenApi,
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
        ListRequest, Name, NoContent, PageResponse, Password, SearchTerm, Username, WithEtag,
    },
    problem::{Result, WithConflict},
    state::State,
};

pub struct AdminUsersApi(pub Arc<State>);

crate::texts! {
    /// The hash of a password: a PHC string of Argon2id, or bcrypt's `$2b$`.
    PasswordHash { length: 1..=512, example: "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$SqlVijFGiPG+935vDSGEsA" }
}

/// An account for somebody: with a `password`, or with the hash of one.
#[derive(Object)]
struct AdminUserCreate {
    /// To log in with.
    email: Email,
    /// To log in with.
    #[oai(nullable)]
    password: Option<Password>,
    /// Instead of a password: its hash, made elsewhere.
    #[oai(nullable)]
    password_hash: Option<PasswordHash>,
    /// To log in with instead of the e-mail address.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name.
    #[oai(nullable)]
    last_name: Option<Name>,
    /// Is he to be an operator of the platform?
    #[oai(default)]
    is_superuser: bool,
}

/// An account, as operators see it.
#[derive(Object, Serialize)]
pub(super) struct AdminUser {
    #[oai(flatten)]
    #[serde(flatten)]
    user: User,
    /// When the account was deleted.
    #[oai(nullable)]
    deleted_at: Option<DateTime<Utc>>,
    /// When it will be forgotten; until then it can be restored.
    #[oai(nullable)]
    purge_after: Option<DateTime<Utc>>,
}

/// What the list is ordered by; `-`: from the last to the first. Who never logged in comes last, and first in the reverse.
#[derive(Clone, Copy, Debug, Enum)]
enum UserSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    #[oai(rename = "email")]
    Email,
    #[oai(rename = "-email")]
    EmailDescending,
    #[oai(rename = "last_login_at")]
    LastLoginAt,
    #[oai(rename = "-last_login_at")]
    LastLoginAtDescending,
}

#[OpenApi(tag = "Tag::Platform")]
impl AdminUsersApi {
    /// List the accounts
    ///
    /// The newest first. Deleted ones are in a list of their own, until they are forgotten.
    #[oai(path = "/admin/users", method = "get", operation_id = "listUsers")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<UserSort>>,
        /// Only accounts whose e-mail address or username contains this, without regard to case.
        q: Query<Option<SearchTerm>>,
        /// Only those that may log in; `false`: only those that may not.
        is_active: Query<Option<bool>>,
        /// Only operators of the platform; `false`: only everybody else.
        is_superuser: Query<Option<bool>>,
        /// Only those whose address is verified; `false`: only those whose is not.
        is_verified: Query<Option<bool>>,
        /// The deleted ones that can be restored, instead of the others.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<AdminUser>> {
        let mut fields = FieldErrors::default();
        let term = fields.parse_optional("q", q.0.map(|term| text::SearchTerm::parse(&term.0)));
        fields.into_result()?;
        let filter = UserFilter {
            term,
            is_active: is_active.0,
            is_superuser: is_superuser.0,
            is_verified: is_verified.0,
            is_deleted: deleted.0.unwrap_or_default(),
        };
        let sort = sort.0.unwrap_or(UserSort::CreatedAtDescending).into();
        let list = format!("listUsers {sort:?} {filter:?}");
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let page = accounts::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, AdminUser::from))
    }

    /// Make an account for somebody
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

    /// Look at an account
    ///
    /// Also at a deleted one, until it is forgotten.
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

    /// Let somebody log in again
    #[oai(path = "/admin/users/:user/activate", method = "post", operation_id = "activateUser")]
    async fn activate(&self, me: SuperuserOnly, user: Path<Id>) -> Result<WithEtag<AdminUser>, WithConflict> {
        let tx = self.begin(&me).await?;
        let user = accounts::activate(&tx, UserId(user.0.0)).await?;
        self.finish(tx, user).await
    }

    /// Shut somebody out
    ///
    /// Every log-in of his ends at once. The only active owner of an organization, and the only active operator, stay.
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

    /// Delete an account
    ///
    /// For 30 days it can be restored. The only active owner of an organization, and the only active operator, stay.
    #[oai(path = "/admin/users/:user", method = "delete", operation_id = "deleteUser")]
    async fn remove(&self, me: SuperuserOnly, user: Path<Id>) -> Result<NoContent, WithConflict> {
        let tx = self.begin(&me).await?;
        accounts::remove(&tx, UserId(user.0.0), accounts::ADMIN_DELETE_GRACE).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Restore a deleted account
    ///
    /// With its own organization and its memberships.
    #[oai(path = "/admin/users/:user/restore", method = "post", operation_id = "restoreUser")]
    async fn restore(&self, me: SuperuserOnly, user: Path<Id>) -> Result<WithEtag<AdminUser>, WithConflict> {
        let tx = self.begin(&me).await?;
        let user = accounts::restore(&tx, UserId(user.0.0)).await?;
        self.finish(tx, user).await
    }

    /// List where somebody is logged in
    #[oai(path = "/admin/users/:user/sessions", method = "get", operation_id = "listUserSessions")]
    async fn sessions(&self, me: SuperuserOnly, user: Path<Id>) -> Result<JsonResponse<Sessions>> {
        let user = users::find(&self.0.db, UserId(user.0.0)).await?;
        let sessions = sessions::list(&self.0.db, user.id).await?;
        Ok(JsonResponse(Sessions::new(sessions, me.0.caller.claims.session)))
    }

    /// Log somebody out everywhere
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

/// How somebody will prove who he is.
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

impl From<UserSort> for Sort<UserKey> {
    fn from(sort: UserSort) -> Self {
        let (key, descending) = match sort {
            UserSort::CreatedAt => (UserKey::CreatedAt, false),
            UserSort::CreatedAtDescending => (UserKey::CreatedAt, true),
            UserSort::Email => (UserKey::Email, false),
            UserSort::EmailDescending => (UserKey::Email, true),
            UserSort::LastLoginAt => (UserKey::LastLoginAt, false),
            UserSort::LastLoginAtDescending => (UserKey::LastLoginAt, true),
        };
        Self { key, descending }
    }
}

impl From<users::User> for AdminUser {
    fn from(user: users::User) -> Self {
        let (deleted_at, purge_after) = (user.deleted_at, user.purge_after);
        Self { user: user.into(), deleted_at, purge_after }
    }
}

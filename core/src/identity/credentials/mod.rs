//! Credentials: set and verify passwords.

#[expect(unreachable_pub, reason = "sea-orm derives public items")]
mod entity;
mod password;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query, SimpleExpr},
};

use password::PasswordMatch;
pub use password::{
    Passwords, check_imported_hash, length, min_length, refuse_weak, set_hash_memory, set_min_length,
};

use crate::{
    Error, Result,
    base::{
        crypto::Secret,
        error::ErrorCode,
        ids::{CredentialId, UserId},
        permissions::AuditOrigin,
        text::{self, EmailAddress, InvalidText},
    },
    identity::users,
    runtime::rate_limit::LoginAttempt,
    storage::db::{Db, GlobalTx},
};

const PASSWORD: &str = "password";

/// Adds the first password of a user, given as its hash.
pub(crate) async fn create(tx: &GlobalTx, user: UserId, secret_hash: String) -> Result<()> {
    let now = tx.now();
    tx.insert(entity::ActiveModel {
        id: Set(CredentialId::new(now)),
        user_id: Set(user),
        kind: Set(PASSWORD.to_owned()),
        secret_hash: Set(secret_hash),
        changed_at: Set(now),
        created_at: Set(now),
        updated_at: Set(now),
    })
    .await
    .map(drop)
}

/// Sets the password of a user, given as its hash. The previous password no longer works.
pub(crate) async fn set(tx: &GlobalTx, user: UserId, secret_hash: String) -> Result<()> {
    let now = tx.now();
    let row = entity::ActiveModel {
        secret_hash: Set(secret_hash.clone()),
        changed_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    match tx.update_where(row, password_of(user)).await?.is_empty() {
        false => Ok(()),
        true => create(tx, user, secret_hash).await,
    }
}

/// Deletes all credentials of a user permanently.
pub(crate) async fn clear(tx: &GlobalTx, user: UserId) -> Result<()> {
    tx.delete::<entity::Entity>(entity::Column::UserId.eq(user)).await.map(drop)
}

/// Returns whether a user has a password.
pub(crate) async fn has_password(tx: &GlobalTx, user: UserId) -> Result<bool> {
    Ok(tx.find::<entity::Entity>().filter(password_of(user)).one().await?.is_some())
}

fn password_of(user: UserId) -> Condition {
    Condition::all().add(entity::Column::UserId.eq(user)).add(entity::Column::Kind.eq(PASSWORD))
}

/// The account that a login names. Nothing is verified yet.
#[derive(FromQueryResult)]
pub(crate) struct LoginCandidate {
    pub(crate) id: UserId,
    pub(crate) email_canonical: String,
    pub(crate) email_verified_at: Option<DateTime<Utc>>,
    is_active: bool,
    /// `None` if the account has no password.
    #[sea_orm(nested)]
    stored: Option<StoredPassword>,
}

/// Finds the account with this e-mail address or username. `None` if there is none.
///
/// # Errors
/// Any database error.
pub(crate) async fn find_login(db: &Db, login: &str) -> Result<Option<LoginCandidate>> {
    // A username has no @.
    let column = match EmailAddress::parse(login) {
        Ok(_) => users::Column::EmailCanonical,
        Err(_) => users::Column::UsernameCanonical,
    };
    find_candidate(db, Expr::col((users::Entity, column)).eq(canonical(login))).await
}

/// Returns the canonical form of a typed e-mail address or username.
pub(crate) fn canonical(login: &str) -> String {
    match EmailAddress::parse(login) {
        Ok(email) => email.key().to_owned(),
        Err(_) => text::key(login.trim()),
    }
}

/// Finds the account of a user. `None` if it is deleted.
///
/// # Errors
/// Any database error.
pub(crate) async fn find_by_user(db: &Db, user: UserId) -> Result<Option<LoginCandidate>> {
    find_candidate(db, Expr::col((users::Entity, users::Column::Id)).eq(user)).await
}

/// Verifies the password of an account, and replaces an outdated hash. This is the only function that verifies a
/// password. `attempt` proves that the login throttle allows it, and records the outcome.
///
/// # Errors
/// `INVALID_CREDENTIALS`, with the same answer after the same time whether the account exists or not; `INACTIVE_USER`,
/// only if the password is right; `Unavailable` when too many passwords are verified at once.
pub(crate) async fn verify(
    db: &Db,
    passwords: &Passwords,
    attempt: LoginAttempt<'_>,
    candidate: Option<LoginCandidate>,
    password: Secret<String>,
) -> Result<PasswordProof> {
    let hash = candidate.as_ref().and_then(|candidate| Some(candidate.stored.as_ref()?.secret_hash.clone()));
    let verdict = passwords.verify(password, hash).await?;
    let Some(LoginCandidate { id: user, is_active, stored: Some(stored), .. }) =
        candidate.filter(|_| verdict.is_right())
    else {
        attempt.record_failure().await;
        return Err(ErrorCode::InvalidCredentials.refuse());
    };
    if !is_active {
        return Err(ErrorCode::InactiveUser.refuse());
    }
    attempt.record_success().await;
    if let PasswordMatch::Outdated { renewed } = verdict
        && let Err(error) = replace_hash(db, user, &stored, renewed).await
    {
        // The login succeeds all the same; the next login tries again.
        tracing::warn!(%error, %user, "could not upgrade an outdated password hash");
    }
    Ok(PasswordProof { user, changed_at: stored.changed_at })
}

/// The proof that a request contained the password of a user. Verifying takes time, so code that uses the proof must
/// call `is_current`.
#[derive(Clone, Copy, Debug)]
pub struct PasswordProof {
    /// The user whose password it is.
    pub user: UserId,
    /// When that password was set.
    changed_at: DateTime<Utc>,
}

/// Returns whether the verified password is still the user's password. Call it while the row of the user is locked:
/// every change of a password locks that row first.
pub(crate) async fn is_current(tx: &GlobalTx, proof: &PasswordProof) -> Result<bool> {
    let same = password_of(proof.user).add(entity::Column::ChangedAt.eq(proof.changed_at));
    Ok(tx.find::<entity::Entity>().filter(same).one().await?.is_some())
}

/// Stores a hash with the current parameters, unless the password was changed since it was read.
async fn replace_hash(db: &Db, user: UserId, stored: &StoredPassword, secret_hash: String) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let verified = password_of(user).add(entity::Column::SecretHash.eq(&stored.secret_hash));
    let row = entity::ActiveModel {
        secret_hash: Set(secret_hash),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update_where(row, verified).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the password stays the same, so there is nothing to audit"
    )]
    tx.commit_unaudited().await
}

/// Returns the error for a wrong password in the field `field`.
pub(crate) fn mismatch(field: &str) -> Error {
    let invalid = InvalidText { code: "WRONG", message: "Wrong password.".into() };
    ErrorCode::PasswordMismatch.refuse_field(field, invalid)
}

#[derive(FromQueryResult)]
struct StoredPassword {
    secret_hash: String,
    changed_at: DateTime<Utc>,
}

async fn find_candidate(db: &Db, condition: SimpleExpr) -> Result<Option<LoginCandidate>> {
    use users::Column::{DeletedAt, EmailCanonical, EmailVerifiedAt, Id, IsActive};
    let mut query = Query::select();
    query
        .columns([Id, EmailCanonical, EmailVerifiedAt, IsActive].map(|column| (users::Entity, column)))
        .columns([(entity::Entity, entity::Column::SecretHash), (entity::Entity, entity::Column::ChangedAt)])
        .from(users::Entity)
        .join(
            JoinType::LeftJoin,
            entity::Entity,
            Expr::col((entity::Entity, entity::Column::UserId))
                .equals((users::Entity, Id))
                .and(Expr::col((entity::Entity, entity::Column::Kind)).eq(PASSWORD)),
        )
        .and_where(Expr::col((users::Entity, DeletedAt)).is_null())
        .and_where(condition);
    #[expect(
        clippy::disallowed_methods,
        reason = "a user who logs in is in no organization yet; credentials belong to none"
    )]
    let found = db.unscoped().await?.rows(&query).await?;
    Ok(found.into_iter().next())
}

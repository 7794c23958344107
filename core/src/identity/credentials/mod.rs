//! Proofs of identity: setting and checking passwords.

#[expect(unreachable_pub, reason = "sea-orm derives public items")]
mod entity;
mod password;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query, SimpleExpr},
};

use password::Verdict;
pub use password::{
    Passwords, check_imported_hash, length, refuse_weak, require_length, require_memory, shortest,
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

/// Gives a person a first password, by its hash.
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

/// Gives a person a password, by its hash; the one he had is worth nothing from then on.
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

/// Takes every proof of identity from a person, for good.
pub(crate) async fn clear(tx: &GlobalTx, user: UserId) -> Result<()> {
    tx.delete::<entity::Entity>(entity::Column::UserId.eq(user)).await.map(drop)
}

/// Does a person have a password?
pub(crate) async fn has_password(tx: &GlobalTx, user: UserId) -> Result<bool> {
    Ok(tx.find::<entity::Entity>().filter(password_of(user)).one().await?.is_some())
}

fn password_of(user: UserId) -> Condition {
    Condition::all().add(entity::Column::UserId.eq(user)).add(entity::Column::Kind.eq(PASSWORD))
}

/// The account that somebody says is theirs.
#[derive(FromQueryResult)]
pub(crate) struct LoginCandidate {
    pub(crate) id: UserId,
    pub(crate) email_canonical: String,
    pub(crate) email_verified_at: Option<DateTime<Utc>>,
    is_active: bool,
    /// `None`: it has no password.
    #[sea_orm(nested)]
    held: Option<Held>,
}

/// The account of this e-mail address or username, where there is one.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn find_login(db: &Db, login: &str) -> Result<Option<LoginCandidate>> {
    // A username has no @.
    let column = match EmailAddress::parse(login) {
        Ok(_) => users::Column::EmailCanonical,
        Err(_) => users::Column::UsernameCanonical,
    };
    claimed(db, Expr::col((users::Entity, column)).eq(canonical(login))).await
}

/// The canonical form of what somebody typed as their e-mail address or username.
pub(crate) fn canonical(login: &str) -> String {
    match EmailAddress::parse(login) {
        Ok(email) => email.key().to_owned(),
        Err(_) => text::key(login.trim()),
    }
}

/// The account of a person, where it is not deleted.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn of(db: &Db, user: UserId) -> Result<Option<LoginCandidate>> {
    claimed(db, Expr::col((users::Entity, users::Column::Id)).eq(user)).await
}

/// Is it the password of the account, if there is one? An outdated hash is replaced. The only place that verifies a
/// password; `attempt` is the proof that the limit of guesses allows it, and is told the outcome.
///
/// # Errors
/// `INVALID_CREDENTIALS`, the same and after the same time whether there is such an account or not; `INACTIVE_USER`,
/// only to who knows the password; `Unavailable` when too many passwords are verified at once.
pub(crate) async fn verify(
    db: &Db,
    passwords: &Passwords,
    attempt: LoginAttempt<'_>,
    claimed: Option<LoginCandidate>,
    password: Secret<String>,
) -> Result<PasswordProof> {
    let hash = claimed.as_ref().and_then(|claimed| Some(claimed.held.as_ref()?.secret_hash.clone()));
    let verdict = passwords.verify(password, hash).await?;
    let Some(LoginCandidate { id: user, is_active, held: Some(held), .. }) =
        claimed.filter(|_| verdict.is_right())
    else {
        attempt.record_failure().await;
        return Err(ErrorCode::InvalidCredentials.refuse());
    };
    if !is_active {
        return Err(ErrorCode::InactiveUser.refuse());
    }
    attempt.record_success().await;
    if let Verdict::Outdated { renewed } = verdict
        && let Err(error) = renew(db, user, &held, renewed).await
    {
        // No reason to shut anybody out: the next log-in tries again.
        tracing::warn!(%error, %user, "could not upgrade an outdated password hash");
    }
    Ok(PasswordProof { user, changed_at: held.changed_at })
}

/// That somebody gave the password of a person. It takes a while to find out: what he does with it asks [`holds`].
#[derive(Clone, Copy, Debug)]
pub struct PasswordProof {
    /// Whose.
    pub user: UserId,
    /// When that password was set.
    changed_at: DateTime<Utc>,
}

/// Is the password that was proved still the person's? To be asked while his row is locked, which whoever sets another
/// password locks first.
pub(crate) async fn is_current(tx: &GlobalTx, proof: &PasswordProof) -> Result<bool> {
    let same = password_of(proof.user).add(entity::Column::ChangedAt.eq(proof.changed_at));
    Ok(tx.find::<entity::Entity>().filter(same).one().await?.is_some())
}

/// Stores a hash made as it is done today, unless the password was changed since it was read.
async fn renew(db: &Db, user: UserId, held: &Held, secret_hash: String) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let verified = password_of(user).add(entity::Column::SecretHash.eq(&held.secret_hash));
    let row = entity::ActiveModel {
        secret_hash: Set(secret_hash),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update_where(row, verified).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the password stays the same: nothing that a log would tell"
    )]
    tx.commit_unaudited().await
}

/// The refusal of a password that is another; `field` names it.
pub(crate) fn mismatch(field: &str) -> Error {
    let fault = InvalidText { code: "WRONG", message: "Wrong password.".into() };
    ErrorCode::PasswordMismatch.refuse_field(field, fault)
}

#[derive(FromQueryResult)]
struct Held {
    secret_hash: String,
    changed_at: DateTime<Utc>,
}

async fn claimed(db: &Db, whose: SimpleExpr) -> Result<Option<LoginCandidate>> {
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
        .and_where(whose);
    #[expect(
        clippy::disallowed_methods,
        reason = "who proves who they are is in no organization yet; credentials belong to none"
    )]
    let found = db.unscoped().await?.rows(&query).await?;
    Ok(found.into_iter().next())
}

//! A password or session that was checked before a transaction is checked again in it, because a reset can have ended
//! it.

use std::time::Duration;

use super::*;
use crate::{
    base::{
        crypto::{MasterKey, Secret},
        ids::SessionId,
        permissions::AuditOrigin,
        rate::Rate,
    },
    identity::{
        credentials::{PasswordProof, Passwords},
        sessions::{DeviceCookies, LoginDevice, LoginSource, PasswordVerifier, SessionPolicy},
    },
    lifecycle::email_links,
    runtime::{
        config::{Config, Sources},
        rate_limit::LoginThrottle,
    },
    storage::{
        audit::RequestTrail,
        db::{Db, test_db::TestDb},
    },
};

const EMAIL: &str = "ada@example.com";
const POLICY: SessionPolicy = SessionPolicy {
    absolute: Duration::from_secs(3600),
    idle: Duration::from_secs(3600),
    grace: Duration::ZERO,
    step_up: Duration::from_secs(3600),
    max_sessions: 50,
};

struct Ada {
    sandbox: TestDb,
    passwords: Passwords,
    user: UserId,
    session: SessionId,
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

impl Ada {
    /// A registered user with a session.
    async fn new() -> Self {
        let (sandbox, passwords) = (TestDb::new().await, Passwords::new().unwrap());
        let hash = passwords.hash(secret("old")).await.unwrap();
        let mut tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        let email = EmailAddress::parse(EMAIL).unwrap();
        let new = NewUser { email, username: None, first_name: None, last_name: None };
        let user = register(&mut tx, new, hash, false, None).await.unwrap().id;
        let (session, _) = sessions::create(&mut tx, user, LoginDevice::default(), &POLICY).await.unwrap();
        tx.commit().await.unwrap();
        Self { sandbox, passwords, user, session: session.id }
    }

    fn db(&self) -> &Db {
        &self.sandbox.db
    }

    async fn begin(&self) -> GlobalTx {
        let origin = AuditOrigin { session: Some(self.session), ..AuditOrigin::of(Actor::User(self.user)) };
        self.db().begin_global(origin).await.unwrap()
    }

    async fn proof(&self) -> PasswordProof {
        let master = MasterKey::new("k".repeat(32));
        let throttle = LoginThrottle::new(&master, Rate::parse("5/15min").unwrap(), None);
        let devices = DeviceCookies::new(&master);
        let (db, passwords) = (self.db(), &self.passwords);
        let verifier = PasswordVerifier {
            db,
            passwords,
            login_throttle: &throttle,
            devices: &devices,
            hides_unverified: false,
        };
        let source = LoginSource { address: None, device: None };
        verifier.log_in(EMAIL, secret("old"), source, &RequestTrail::default()).await.unwrap()
    }

    /// Sets another password and ends all sessions, like a password reset.
    async fn reset(&self) {
        let tx = self.db().begin_global(AuditOrigin::SYSTEM).await.unwrap();
        users::lock(&tx, self.user).await.unwrap();
        credentials::set(&tx, self.user, "another".into()).await.unwrap();
        sessions::revoke(&tx, self.user, RevokeScope::All, "reset").await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn error_code<T>(outcome: Result<T>) -> Option<ErrorCode> {
    outcome.err().map(|error| error.code())
}

#[tokio::test]
async fn a_password_checked_before_a_reset_proves_nothing() {
    let ada = Ada::new().await;
    let proof = ada.proof().await;
    let mut tx = ada.begin().await;
    assert!(sessions::log_in(&mut tx, &proof, LoginDevice::default(), &POLICY).await.is_ok());
    drop(tx);
    // No session ends: only the password is checked again.
    let tx = ada.begin().await;
    credentials::set(&tx, ada.user, "another".into()).await.unwrap();
    tx.platform().await.unwrap().recorded();
    tx.commit().await.unwrap();

    let mut tx = ada.begin().await;
    let log_in = sessions::log_in(&mut tx, &proof, LoginDevice::default(), &POLICY).await;
    assert_eq!(error_code(log_in), Some(ErrorCode::InvalidCredentials));
    let change = change_password(&tx, &proof, "current_password", ada.session, "mine".into()).await;
    assert_eq!(error_code(change), Some(ErrorCode::PasswordMismatch));
    let again = sessions::reauthenticate(&tx, ada.session, &proof, "password").await;
    assert_eq!(error_code(again), Some(ErrorCode::PasswordMismatch));
}

#[tokio::test]
async fn an_ended_session_changes_nothing() {
    let ada = Ada::new().await;
    let proof = ada.proof().await;
    let mail = EmailTokens::new(&MasterKey::new("k".repeat(32)), &Config::read(&Sources::only(&[])).unwrap());
    let address = || EmailAddress::parse("thief@example.com").unwrap();
    // With a valid session, each operation is allowed.
    let tx = ada.begin().await;
    assert!(email_links::change(&tx, &mail, ada.user, address()).await.is_ok());
    drop(tx);
    let tx = ada.begin().await;
    assert!(change_password(&tx, &proof, "current_password", ada.session, "mine".into()).await.is_ok());
    drop(tx);
    let tx = ada.begin().await;
    assert!(remove(&tx, ada.user, SELF_DELETE_GRACE).await.is_ok());
    drop(tx);

    ada.reset().await;
    let tx = ada.begin().await;
    let change = email_links::change(&tx, &mail, ada.user, address()).await;
    assert_eq!(error_code(change), Some(ErrorCode::InvalidToken));
    let password = change_password(&tx, &proof, "current_password", ada.session, "mine".into()).await;
    assert_eq!(error_code(password), Some(ErrorCode::InvalidToken));
    let again = sessions::reauthenticate(&tx, ada.session, &proof, "password").await;
    assert_eq!(error_code(again), Some(ErrorCode::InvalidToken));
    assert_eq!(error_code(remove(&tx, ada.user, SELF_DELETE_GRACE).await), Some(ErrorCode::InvalidToken));
}

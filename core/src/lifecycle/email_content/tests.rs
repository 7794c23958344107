//! Which e-mails are sent, to which address, and which are no longer needed.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::*;
use crate::{
    base::{
        clock::Clock,
        crypto::MasterKey,
        permissions::{AuditOrigin, MembersInvite},
        text::{EmailAddress, Name},
    },
    identity::{
        one_time_tokens::TokenPurpose,
        sessions::{LoginDevice, SessionPolicy},
    },
    lifecycle::accounts,
    runtime::config::{Config, Sources},
    storage::{
        db::{GlobalTx, test_db::TestDb},
        outbox::OutboxJob,
    },
    tenancy::invitations::{self, NewInvitation},
};

type Row = <users::Entity as EntityTrait>::ActiveModel;

const URL: &str = "https://insula.example/";

fn mail_of(key: &str) -> EmailTokens {
    EmailTokens::new(&MasterKey::new(key.repeat(32)), &Config::read(&Sources::only(&[])).unwrap())
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

struct Ada {
    sandbox: TestDb,
    mail: EmailTokens,
    user: UserId,
}

impl Ada {
    /// Registers a user, with a verified e-mail address or without.
    async fn new(is_verified: bool) -> Self {
        let (sandbox, mail) = (TestDb::new().await, mail_of("k"));
        let user = sandbox.tenant("ada").await.owner;
        let ada = Self { sandbox, mail, user };
        ada.change(|row| {
            row.first_name = Set(Some("Ada".into()));
            row.email = Set("Ada@Bücher.example".into());
            row.email_canonical = Set("ada@xn--bcher-kva.example".into());
            row.email_verified_at = Set(is_verified.then(|| Clock::System.now()));
        })
        .await;
        ada
    }

    fn db(&self) -> &Db {
        &self.sandbox.db
    }

    async fn begin(&self) -> GlobalTx {
        self.db().begin_global(AuditOrigin::SYSTEM).await.unwrap()
    }

    async fn change(&self, change: impl FnOnce(&mut Row)) {
        let tx = self.begin().await;
        let mut row = Row { id: Set(self.user), ..Default::default() };
        change(&mut row);
        tx.update(row).await.unwrap();
        tx.platform().await.unwrap().recorded();
        tx.commit().await.unwrap();
    }

    /// The id of a token that was e-mailed to `email`.
    async fn link(&self, purpose: TokenPurpose, email: &str) -> OneTimeTokenId {
        let tx = self.begin().await;
        let token =
            one_time_tokens::issue(&tx, &self.mail, purpose, self.user, &address(email)).await.unwrap();
        tx.platform().await.unwrap().recorded();
        tx.commit().await.unwrap();
        token.id
    }

    async fn log_in(&self, device: LoginDevice) -> SessionId {
        let policy = SessionPolicy::from(&Config::read(&Sources::only(&[])).unwrap());
        let mut tx = self.begin().await;
        let (session, _) = sessions::create(&mut tx, self.user, device, &policy).await.unwrap();
        tx.commit().await.unwrap();
        session.id
    }

    async fn compose(&self, job: &Job) -> Composition {
        compose(self.db(), &self.mail, URL, job).await.unwrap()
    }

    async fn content(&self, job: &Job) -> EmailContent {
        match self.compose(job).await {
            Composition::Send(content) => content,
            Composition::Skip { reason, .. } => panic!("{job:?} is not sent: {reason}"),
        }
    }

    /// The e-mail address, and the reason not to send.
    async fn skip_reason(&self, job: &Job) -> (String, &'static str) {
        match self.compose(job).await {
            Composition::Send(_) => panic!("{job:?} is sent"),
            Composition::Skip { to, reason } => (to, reason),
        }
    }

    fn plain(&self) -> [Job; 3] {
        let user = self.user;
        [Job::SendWelcome { user }, Job::SendAlreadyRegistered { user }, Job::SendPasswordChanged { user }]
    }
}

const ADDRESS: &str = "Ada@xn--bcher-kva.example";

#[tokio::test]
async fn an_email_uses_the_ascii_address_and_the_name_of_a_verified_user() {
    for is_verified in [true, false] {
        let ada = Ada::new(is_verified).await;
        for job in ada.plain() {
            let content = ada.content(&job).await;
            assert_eq!((content.to.as_str(), content.template), (ADDRESS, Template::of(&job)));
            assert_eq!(content.name.as_deref(), is_verified.then_some("Ada"));
            assert!(content.link.is_none() && content.device.is_none() && content.until.is_none());
        }
    }
}

#[tokio::test]
async fn a_link_is_sent_while_it_is_valid() {
    let ada = Ada::new(true).await;
    for (purpose, start, lifetime) in [
        (TokenPurpose::Verify, "https://insula.example/verify#token=", 86400),
        (TokenPurpose::Reset, "https://insula.example/reset#token=", 1800),
    ] {
        let token = ada.link(purpose, "Ada@Bücher.example").await;
        let job = match purpose {
            TokenPurpose::Verify => Job::SendVerification { token },
            _ => Job::SendPasswordReset { token },
        };
        let content = ada.content(&job).await;
        let link = content.link.unwrap();
        assert!(link.url.expose().starts_with(start), "{}", link.url.expose());
        assert_eq!((link.lifetime.as_secs(), content.to.as_str()), (lifetime, ADDRESS));
        assert_eq!(content.name.as_deref(), Some("Ada"));

        let other_key = compose(ada.db(), &mail_of("x"), URL, &job).await.unwrap();
        assert!(
            matches!(other_key, Composition::Skip { reason, .. } if reason.contains("INSULA_SECRET_KEY"))
        );
        let later = ada.sandbox.at(Clock::Fixed(Clock::System.now() + TimeDelta::days(2)));
        let late = compose(&later.db, &ada.mail, URL, &job).await.unwrap();
        assert!(
            matches!(late, Composition::Skip { reason, to } if reason.contains("expired") && to == ADDRESS)
        );
        // A newer token replaces it.
        ada.link(purpose, "Ada@Bücher.example").await;
        assert!(ada.skip_reason(&job).await.1.contains("replaced"));
    }
    let token = OneTimeTokenId::new(Clock::System.now());
    assert_eq!(ada.skip_reason(&Job::SendPasswordReset { token }).await.0, "");
}

#[tokio::test]
async fn a_change_of_address_notifies_the_old_one_and_asks_the_new_one() {
    let ada = Ada::new(true).await;
    let undo =
        Job::SendEmailChangeNotice { token: ada.link(TokenPurpose::Undo, "Ada@Bücher.example").await };
    let confirm = Job::SendEmailChange { token: ada.link(TokenPurpose::Email, "new@example.com").await };
    let (old, new) = (ada.content(&undo).await, ada.content(&confirm).await);
    assert!(old.link.unwrap().url.expose().starts_with("https://insula.example/verify#undo="));
    assert_eq!((old.to.as_str(), old.name.as_deref()), (ADDRESS, Some("Ada")));
    // The new e-mail address is not verified yet.
    assert_eq!((new.to.as_str(), new.name), ("new@example.com", None));
    // The new address was confirmed first. The old address gets its e-mail anyway.
    ada.change(|row| {
        row.email = Set("new@example.com".into());
        row.email_canonical = Set("new@example.com".into());
    })
    .await;
    assert_eq!(ada.content(&undo).await.to, ADDRESS);
    // A deactivated user can undo, and nothing else.
    ada.change(|row| row.is_active = Set(false)).await;
    assert_eq!(ada.content(&undo).await.to, ADDRESS);
    assert!(ada.skip_reason(&confirm).await.1.contains("deactivated"));
}

#[tokio::test]
async fn a_login_email_names_the_device() {
    let ada = Ada::new(true).await;
    let agent = "x".repeat(200);
    let device = LoginDevice { ip: Some("192.0.2.7".into()), user_agent: Some(agent.clone()), name: None };
    let named = LoginDevice { name: Some(Name::parse("Laptop").unwrap()), ..device.clone() };
    for (device, name) in [(device, &agent[..LONGEST]), (named, "Laptop")] {
        let (user, session) = (ada.user, ada.log_in(device).await);
        for job in [Job::SendNewDevice { user, session }, Job::SendRefreshReuse { user, session }] {
            let device = ada.content(&job).await.device.unwrap();
            assert_eq!((device.name.as_deref(), device.ip.as_deref()), (Some(name), Some("192.0.2.7")));
        }
    }
    let (user, session) = (ada.user, SessionId::new(Clock::System.now()));
    assert!(ada.skip_reason(&Job::SendNewDevice { user, session }).await.1.contains("no longer exists"));
}

#[tokio::test]
async fn a_deleted_account_gets_only_the_email_about_its_deletion() {
    let ada = Ada::new(true).await;
    let (user, session) = (ada.user, ada.log_in(LoginDevice::default()).await);
    let deleted = Job::SendAccountDeleted { user };
    let undo =
        Job::SendEmailChangeNotice { token: ada.link(TokenPurpose::Undo, "Ada@Bücher.example").await };
    assert!(ada.skip_reason(&deleted).await.1.contains("was restored"));
    ada.change(|row| row.is_active = Set(false)).await;
    assert!(ada.skip_reason(&Job::SendWelcome { user }).await.1.contains("deactivated"));
    assert_eq!(ada.content(&Job::SendPasswordChanged { user }).await.to, ADDRESS);

    let until: DateTime<Utc> = Clock::System.now() + TimeDelta::days(14);
    ada.change(|row| {
        row.deleted_at = Set(Some(Clock::System.now()));
        row.purge_after = Set(Some(until));
    })
    .await;
    let content = ada.content(&deleted).await;
    assert_eq!((content.to.as_str(), content.until), (ADDRESS, Some(until)));
    let others = [Job::SendNewDevice { user, session }, undo];
    for job in ada.plain().into_iter().chain(others) {
        let (to, reason) = ada.skip_reason(&job).await;
        assert!(to == ADDRESS && reason.contains("deleted"), "{job:?} {to} {reason}");
    }

    let later = ada.sandbox.at(Clock::Fixed(until + TimeDelta::days(1)));
    assert_eq!(accounts::purge(&later.db).await.unwrap(), 1);
    for job in ada.plain().into_iter().chain([deleted]) {
        assert_eq!(ada.skip_reason(&job).await.0, "", "{job:?}");
    }
}

/// The jobs that send invitations, oldest first.
async fn invitation_jobs(sandbox: &TestDb) -> Vec<Job> {
    #[expect(clippy::disallowed_methods, reason = "tests list the jobs")]
    let tx = sandbox.db.unscoped().await.unwrap();
    let mut query = Query::select();
    let kind = crate::storage::outbox::Column::Kind.eq("send_invitation");
    query.column(Asterisk).from(crate::storage::outbox::Entity).and_where(kind);
    query.order_by(crate::storage::outbox::Column::Id, sea_orm::Order::Asc);
    let jobs: Vec<OutboxJob> = tx.rows(&query).await.unwrap();
    jobs.iter().map(|job| job.job().unwrap()).collect()
}

#[tokio::test]
async fn an_invitation_is_sent_while_it_can_be_accepted() {
    let (sandbox, mail) = (TestDb::new().await, mail_of("k"));
    let tenant = sandbox.tenant("acme").await;
    let write = async |job: &Job| compose(&sandbox.db, &mail, URL, job).await.unwrap();
    let skip_reason = async |job: &Job| match write(job).await {
        Composition::Send(_) => panic!("{job:?} is sent"),
        Composition::Skip { to, reason } => (to, reason),
    };
    let tx = sandbox.begin::<MembersInvite>(tenant).await;
    let new = NewInvitation { email: address("Eve@Bücher.example"), roles: vec!["viewer".into()] };
    let sent = invitations::invite(&tx, &mail, vec![new]).await.unwrap().remove(0).unwrap();
    tx.commit().await.unwrap();
    let first = invitation_jobs(&sandbox).await.remove(0);
    let Composition::Send(content) = write(&first).await else { panic!("the invitation is pending") };
    let (link, names) = (content.link.unwrap(), content.invitation.unwrap());
    assert!(link.url.expose().starts_with("https://insula.example/accept#token="), "{}", link.url.expose());
    assert_eq!((link.lifetime.as_secs(), content.to.as_str()), (604_800, "Eve@xn--bcher-kva.example"));
    assert_eq!((names.organization(), names.inviter(), content.name), ("acme", "owner", None));

    let tx = sandbox.begin::<MembersInvite>(tenant).await;
    invitations::resend(&tx, &mail, sent.invitation.id).await.unwrap();
    tx.commit().await.unwrap();
    assert!(skip_reason(&first).await.1.contains("sent again"));
    let second = invitation_jobs(&sandbox).await.remove(1);
    assert!(matches!(write(&second).await, Composition::Send(_)));
    let later = sandbox.at(Clock::Fixed(Clock::System.now() + TimeDelta::days(8)));
    let late = compose(&later.db, &mail, URL, &second).await.unwrap();
    assert!(matches!(late, Composition::Skip { reason, .. } if reason.contains("expired")));
    let other_key = compose(&sandbox.db, &mail_of("x"), URL, &second).await.unwrap();
    assert!(matches!(other_key, Composition::Skip { reason, .. } if reason.contains("INSULA_SECRET_KEY")));

    let tx = sandbox.begin::<MembersInvite>(tenant).await;
    invitations::revoke(&tx, sent.invitation.id).await.unwrap();
    tx.commit().await.unwrap();
    let (to, reason) = skip_reason(&second).await;
    assert!(to == "Eve@xn--bcher-kva.example" && reason.contains("withdrawn"), "{to} {reason}");
    let token = OneTimeTokenId::new(Clock::System.now());
    assert_eq!(skip_reason(&Job::SendInvitation { token }).await.0, "");
}

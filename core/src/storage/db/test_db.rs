//! A migrated database for one test: SQLite in a temporary folder, or PostgreSQL if the test run selects it.

use std::sync::Arc;

use tempfile::TempDir;

use super::{Db, Options, OrgTx, clock_skew::ClockSkew};
use crate::{
    Result,
    base::{
        clock::Clock,
        ids::{OrgId, UserId},
        permissions::{Actor, ActorAccess, AuditOrigin, Authorized, RequiredPermission},
        text::{EmailAddress, Name, Slug},
    },
    identity::users::NewUser,
    lifecycle::accounts,
    runtime::cluster::Cluster,
    tenancy::organizations::NewOrganization,
};

pub(crate) struct TestDb {
    pub(crate) db: Db,
    folder: Arc<TempDir>,
}

/// An organization and its owner.
#[derive(Clone, Copy)]
pub(crate) struct TestTenant {
    pub(crate) org: OrgId,
    pub(crate) owner: UserId,
}

#[expect(clippy::disallowed_methods, reason = "the environment selects the database of tests")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl TestDb {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match variable("INSULA_TEST_DATABASE").as_deref() {
            Some("postgres") => new_postgres_database().await,
            _ => format!("sqlite://{}", folder.path().join("insula.db").display()),
        };
        insula_migrations::up(&url, None).await.unwrap();
        Self { db: Db::connect(&url, &Options::default()).await.unwrap(), folder: Arc::new(folder) }
    }

    /// The same database at another time.
    pub(crate) fn at(&self, clock: Clock) -> Self {
        Self {
            db: Db { clock, skew: ClockSkew::default(), ..self.db.clone() },
            folder: Arc::clone(&self.folder),
        }
    }

    /// The same database in another process, which receives no invalidations.
    pub(crate) fn elsewhere(&self) -> Self {
        Self { db: Db { cluster: Cluster::default(), ..self.db.clone() }, folder: Arc::clone(&self.folder) }
    }

    pub(crate) async fn tenant(&self, slug: &str) -> TestTenant {
        self.try_tenant(slug).await.unwrap()
    }

    /// Like [`TestDb::tenant`], for databases that may fail.
    pub(crate) async fn try_tenant(&self, slug: &str) -> Result<TestTenant> {
        let mut tx = self.db.begin_global(AuditOrigin::SYSTEM).await?;
        let email = EmailAddress::parse(&format!("owner@{slug}.example")).unwrap();
        let new = NewUser { email, username: None, first_name: None, last_name: None };
        let owner = accounts::register(&mut tx, new, "no hash".into(), false, None).await?.id;
        let new = NewOrganization { name: Name::parse(slug).unwrap(), slug: Slug::parse(slug).unwrap() };
        let org = accounts::create_organization(&tx, owner, new).await?.id;
        tx.commit().await?;
        Ok(TestTenant { org, owner })
    }

    /// A transaction of the owner, without a permission check.
    pub(crate) async fn begin<P: RequiredPermission>(&self, tenant: TestTenant) -> OrgTx<P> {
        self.db.begin(tenant.proof()).await.unwrap()
    }
}

impl TestTenant {
    pub(crate) fn proof<P: RequiredPermission>(self) -> Authorized<P> {
        let origin = AuditOrigin::of(Actor::User(self.owner));
        #[expect(clippy::disallowed_methods, reason = "these tests need no permission check")]
        Authorized::from_lookup(self.org, origin, ActorAccess::platform())
    }
}

async fn new_postgres_database() -> String {
    let cluster = variable("INSULA_TEST_POSTGRES_URL").expect("INSULA_TEST_POSTGRES_URL: run `make test`");
    let name = format!("core_{}", UserId::new(Clock::System.now()).0.simple());
    let admin = sqlx::PgPool::connect(&cluster).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    admin.close().await;
    let (server, _) = cluster.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

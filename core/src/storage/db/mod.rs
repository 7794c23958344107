//! The only room that holds a connection. Everybody else gets a unit of work that is already inside its scope:
//! [`OrgTx`] (one organization), [`Tx`] (tables that no organization owns) or, with a reason, [`Unscoped`].

mod subquery;
mod driver;
mod entity_macros;
mod error;
mod health;
mod keyset;
mod locks;
mod login_check;
mod bulk_update;
mod org_tx;
mod like;
mod chunks;
mod pools;
mod aggregate;
mod roles;
#[cfg(test)]
pub(crate) mod test_db;
mod scoped;
mod session;
mod clock_skew;
#[cfg(test)]
mod tests;
mod transaction;
mod global_tx;
mod version;

use std::{sync::Arc, time::Duration};

pub(crate) use aggregate::{Aggregation, GroupKey, IntervalTable, TimeBucket};
pub(crate) use chunks::chunks;
use clock_skew::ClockSkew;
pub(crate) use entity_macros::{tenant_table, without_relations};
pub use global_tx::{GlobalQuery, GlobalTx, Unscoped};
pub use health::DatabaseTrouble;
pub use keyset::SortKey;
pub(crate) use like::contains;
pub use login_check::ExcessiveLogin;
pub use org_tx::OrgTx;
use pools::Pools;
use roles::KnownRoles;
pub use scoped::ScopedQuery;
use sea_orm::EntityTrait;
use transaction::{DatabaseRole, OpenTransaction};
pub use version::Expected;

use crate::{
    Result,
    base::{
        clock::Clock,
        permissions::{AuditOrigin, Authorized, RequiredPermission},
    },
    runtime::{
        cluster::{Cluster, Invalidation},
        job_wakeup::JobWakeup,
    },
};

/// A table whose every row belongs to one organization. A table is either this or a [`GlobalTable`].
pub trait TenantTable: EntityTrait {
    /// The column that says to which organization.
    const ORG: Self::Column;
    /// The column of the id.
    const ID: Self::Column;
    /// The column that says when a row was deleted; `None`: rows are deleted for good.
    const DELETED: Option<Self::Column>;
    /// What one row is called, in lower case: "There is no such project."
    const NAME: &'static str;
    /// Does a row help to decide what members may do? Then with every change whatever is remembered of the organization
    /// is forgotten ([`crate::runtime::cluster`]).
    const AFFECTS_ACCESS: bool;
}

/// A table that no organization owns: users and what belongs to them.
pub trait GlobalTable: EntityTrait {
    /// The column that says when a row was deleted; `None`: rows are deleted for good.
    const DELETED: Option<Self::Column>;
    /// What one row is called, in lower case.
    const NAME: &'static str;
    /// What a change of a row makes everybody ask about again ([`crate::runtime::cluster`]); `None`: nobody remembers anything of
    /// it. That a row is new touches nothing, and that rows were deleted touches everything.
    const INVALIDATES: Option<fn(&Self::Model) -> Invalidation>;
}

/// The database of one process. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    roles: KnownRoles,
    clock: Clock,
    skew: ClockSkew,
    cluster: Cluster,
    wakeup: JobWakeup,
}

/// How to reach a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most PostgreSQL connections.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// Where instants come from.
    pub clock: Clock,
    /// Who is told of changes that decide who may do what.
    pub cluster: Cluster,
    /// Who is told of new jobs.
    pub wakeup: JobWakeup,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pool_size: 16,
            acquire_timeout: Duration::from_secs(2),
            clock: Clock::System,
            cluster: Cluster::default(),
            wakeup: JobWakeup::default(),
        }
    }
}

impl Db {
    /// Opens the pools; the URL's scheme chooses the database. No connection is made yet on PostgreSQL.
    ///
    /// # Errors
    /// A URL of another scheme, or that cannot be parsed; an SQLite file that cannot be opened.
    pub async fn connect(url: &str, options: &Options) -> Result<Self> {
        let (cluster, wakeup) = (options.cluster.clone(), options.wakeup.clone());
        let (clock, skew) = (options.clock, ClockSkew::default());
        let (pools, roles) = (Pools::open(url, options).await?, KnownRoles::default());
        Ok(Self { pools, roles, clock, skew, cluster, wakeup })
    }

    /// Begins the unit of work of one request inside one organization: a read, or a write where `P` may write.
    ///
    /// # Errors
    /// `Unavailable` when no connection is free in time.
    pub async fn begin<P: RequiredPermission>(&self, proof: Authorized<P>) -> Result<OrgTx<P>> {
        let open = self.open(DatabaseRole::App(Some(proof.org())), P::WRITES).await?;
        Ok(OrgTx::new(open, proof))
    }

    /// Begins a read inside one organization, whatever `P` may do there.
    ///
    /// # Errors
    /// `Unavailable` when no connection is free in time.
    pub(crate) async fn begin_read<P: RequiredPermission>(&self, proof: &Authorized<P>) -> Result<OrgTx<P>> {
        let open = self.open(DatabaseRole::App(Some(proof.org())), false).await?;
        Ok(OrgTx::new(open, proof.duplicate()))
    }

    /// Begins a write on the tables that no organization owns.
    ///
    /// # Errors
    /// `Unavailable` when no connection is free in time.
    pub async fn begin_global(&self, origin: AuditOrigin) -> Result<GlobalTx> {
        Ok(GlobalTx::new(self.open(DatabaseRole::App(None), true).await?, origin))
    }

    /// Begins a read across organizations. It *finds*; what is changed is changed in an [`OrgTx`].
    ///
    /// # Errors
    /// `Unavailable` when no connection is free in time.
    pub(crate) async fn unscoped(&self) -> Result<Unscoped> {
        Ok(Unscoped::new(self.open(DatabaseRole::System, false).await?))
    }

    async fn open(&self, database_role: DatabaseRole, writes: bool) -> Result<Arc<OpenTransaction>> {
        let roles = self.roles.get(&self.pools).await?;
        let begun = match self.pools.begin(database_role, &roles, writes).await {
            // Migrations may have given the installation other roles since they were looked up.
            Err(error) if self.roles.doubt(&error) => {
                let roles = self.roles.get(&self.pools).await?;
                (self.pools.begin(database_role, &roles, writes).await?, roles)
            }
            begun => (begun?, roles),
        };
        Ok(Arc::new(OpenTransaction::new(begun, self.now(), self.cluster.clone(), self.wakeup.clone())))
    }

    /// Who is told of what its transactions change.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The rate limiter that all processes share; `None` without Redis.
    pub fn redis_rate_limiter(&self) -> Option<crate::runtime::cluster::RedisRateLimiter> {
        self.cluster.redis_rate_limiter()
    }

    /// The present instant, by the database's clock as it was last measured.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now() + self.skew.get()
    }

    /// Which database this is: `postgresql` or `sqlite`.
    pub fn system(&self) -> &'static str {
        self.pools.system()
    }

    /// What keeps the database from serving, as far as it shows by asking it and by what failed lately; `None`: nothing.
    pub async fn trouble(&self) -> Option<DatabaseTrouble> {
        self.pools.trouble().await.unwrap_or_else(|error| {
            tracing::info!(%error, "database health check failed");
            Some(DatabaseTrouble::Unreachable)
        })
    }

    /// Waits for open transactions and closes the connections.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}

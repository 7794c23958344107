//! The only module that holds connections. All other modules get a transaction that is already restricted to its scope:
//! [`OrgTx`] (one organization), [`GlobalTx`] (tables that no organization owns) or, with a reason, [`Unscoped`].

mod backup;
mod subquery;
mod driver;
mod entity_macros;
mod error;
mod health;
mod inspection;
mod keyset;
mod locks;
mod login_check;
mod bulk_update;
mod insert_both;
mod linked_page;
mod org_tx;
mod like;
mod chunks;
mod pools;
mod aggregate;
mod pool_metrics;
mod measured_statement;
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
pub use backup::{BackupError, SqliteBackup};
pub(crate) use chunks::chunks;
use clock_skew::ClockSkew;
pub(crate) use entity_macros::{tenant_table, with_computed_columns, without_relations};
pub use global_tx::{GlobalQuery, GlobalTx, Unscoped};
pub use health::DatabaseTrouble;
pub use inspection::DatabaseFacts;
pub use keyset::SortKey;
pub(crate) use like::{contains, contains_term};
pub use login_check::ExcessiveLogin;
pub use org_tx::OrgTx;
use pools::Pools;
use roles::KnownRoles;
pub use scoped::ScopedQuery;
use sea_orm::EntityTrait;
use transaction::{DatabaseRole, OpenTransaction};
pub use version::ExpectedVersion;

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

/// A table in which every row belongs to one organization. A table is either this or a [`GlobalTable`].
pub trait TenantTable: EntityTrait {
    /// The column with the id of the organization.
    const ORG: Self::Column;
    /// The column of the id.
    const ID: Self::Column;
    /// The column with the instant of deletion; `None` if rows are deleted permanently.
    const DELETED: Option<Self::Column>;
    /// The name of a row in lower case, as in "There is no such project."
    const NAME: &'static str;
    /// Does a row affect what members may do? If so, each change invalidates the caches of the organization
    /// ([`crate::runtime::cluster`]).
    const AFFECTS_ACCESS: bool;
}

/// A table that no organization owns: users and what belongs to them.
pub trait GlobalTable: EntityTrait {
    /// The column with the instant of deletion; `None` if rows are deleted permanently.
    const DELETED: Option<Self::Column>;
    /// The name of a row in lower case.
    const NAME: &'static str;
    /// What a change of a row invalidates ([`crate::runtime::cluster`]); `None` if it is not cached. New rows invalidate
    /// nothing, and deleted rows invalidate everything.
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

/// How to connect to a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// Maximum number of PostgreSQL connections.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// The source of the current time.
    pub clock: Clock,
    /// Receives the invalidations of committed transactions.
    pub cluster: Cluster,
    /// Receives the jobs of committed transactions.
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
    /// Opens the connection pools. The scheme of the URL selects the database. On PostgreSQL, no connection is made
    /// yet.
    ///
    /// # Errors
    /// A URL with another scheme or that cannot be parsed; a SQLite file that cannot be opened.
    pub async fn connect(url: &str, options: &Options) -> Result<Self> {
        let (cluster, wakeup) = (options.cluster.clone(), options.wakeup.clone());
        let (clock, skew) = (options.clock, ClockSkew::default());
        let (pools, roles) = (Pools::open(url, options).await?, KnownRoles::default());
        Ok(Self { pools, roles, clock, skew, cluster, wakeup })
    }

    /// Begins a transaction inside one organization, which can write if `P` can.
    ///
    /// # Errors
    /// `Unavailable` if no connection is free in time.
    pub async fn begin<P: RequiredPermission>(&self, proof: Authorized<P>) -> Result<OrgTx<P>> {
        let open = self.open(DatabaseRole::App(Some(proof.org())), P::WRITES).await?;
        Ok(OrgTx::new(open, proof))
    }

    /// Begins a read inside one organization, whether `P` can write or not.
    ///
    /// # Errors
    /// `Unavailable` if no connection is free in time.
    pub(crate) async fn begin_read<P: RequiredPermission>(&self, proof: &Authorized<P>) -> Result<OrgTx<P>> {
        let open = self.open(DatabaseRole::App(Some(proof.org())), false).await?;
        Ok(OrgTx::new(open, proof.duplicate()))
    }

    /// Begins a write on the tables that no organization owns.
    ///
    /// # Errors
    /// `Unavailable` if no connection is free in time.
    pub async fn begin_global(&self, origin: AuditOrigin) -> Result<GlobalTx> {
        Ok(GlobalTx::new(self.open(DatabaseRole::App(None), true).await?, origin))
    }

    /// Begins a read across organizations. Use it only to find rows, and change them in an [`OrgTx`].
    ///
    /// # Errors
    /// `Unavailable` if no connection is free in time.
    pub(crate) async fn unscoped(&self) -> Result<Unscoped> {
        Ok(Unscoped::new(self.open(DatabaseRole::System, false).await?))
    }

    async fn open(&self, database_role: DatabaseRole, writes: bool) -> Result<Arc<OpenTransaction>> {
        let roles = self.roles.get(&self.pools).await?;
        let begun = match self.pools.begin(database_role, &roles, writes).await {
            // A migration may have changed the roles of the installation since they were looked up.
            Err(error) if self.roles.forget_if_outdated(&error) => {
                let roles = self.roles.get(&self.pools).await?;
                (self.pools.begin(database_role, &roles, writes).await?, roles)
            }
            begun => (begun?, roles),
        };
        Ok(Arc::new(OpenTransaction::new(begun, self.now(), self.cluster.clone(), self.wakeup.clone())))
    }

    /// Receives the invalidations of committed transactions.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The rate limiter that all processes share; `None` without Redis.
    pub fn redis_rate_limiter(&self) -> Option<crate::runtime::cluster::RedisRateLimiter> {
        self.cluster.redis_rate_limiter()
    }

    /// The current instant by the database's clock, as it was last measured.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now() + self.skew.get()
    }

    /// The kind of database: `postgresql` or `sqlite`.
    pub fn system(&self) -> &'static str {
        self.pools.system()
    }

    /// Why the database cannot do its work, from a test query and recent errors; `None` if it can.
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

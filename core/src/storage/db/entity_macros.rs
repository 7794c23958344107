//! Macros for entity files. They expect the names that sea-orm generates, and its prelude.

/// Implements [`TenantTable`](super::TenantTable) for `Entity`, whose id is `Column::Id`.
///
/// Arguments: the name of a row in lower case; the column of the organization, unless it is `OrganizationId`; the column
/// with the instant of deletion, or `None` if rows are deleted permanently; and whether a row affects what members may
/// do.
macro_rules! tenant_table {
    ($name:literal, deleted: $deleted:expr, affects_access: $affects_access:literal) => {
        $crate::storage::db::tenant_table!(
            $name, org: Column::OrganizationId, deleted: $deleted, affects_access: $affects_access
        );
    };
    ($name:literal, org: $org:expr, deleted: $deleted:expr, affects_access: $affects_access:literal) => {
        impl $crate::storage::db::TenantTable for Entity {
            const ORG: Column = $org;
            const ID: Column = Column::Id;
            const DELETED: Option<Column> = $deleted;
            const NAME: &'static str = $name;
            const AFFECTS_ACCESS: bool = $affects_access;
        }
    };
}
pub(crate) use tenant_table;

/// Declares that an entity has no relations and no hooks. Queries use the scope of an organization, and joins to users
/// name their columns.
macro_rules! without_relations {
    () => {
        /// No relations are declared.
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    };
}
pub(crate) use without_relations;

/// As `without_relations`. `$complete`, a method of the active model, computes columns from others whenever a row is written.
macro_rules! with_computed_columns {
    ($complete:ident) => {
        /// No relations are declared.
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        #[async_trait::async_trait]
        impl ActiveModelBehavior for ActiveModel {
            async fn before_save<C: sea_orm::ConnectionTrait>(
                mut self,
                _: &C,
                _: bool,
            ) -> Result<Self, sea_orm::DbErr> {
                self.$complete();
                Ok(self)
            }
        }
    };
}
pub(crate) use with_computed_columns;

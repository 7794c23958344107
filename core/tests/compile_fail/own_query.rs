//! A query that is built outside of core, run on the transaction of an organization.

use insula_core::{base::permissions::ProjectsRead, storage::db::OrgTx};
use sea_orm::entity::prelude::*;

mod projects {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "projects")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
    }
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

async fn all_projects(tx: &OrgTx<ProjectsRead>) {
    let _ = projects::Entity::find().all(tx).await; //~ E0277: `OrgTx<insula_core::base::permissions::ProjectsRead>: ConnectionTrait` is not satisfied
}

//! A query of one's own, run on the unit of work.

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

async fn everybodys(tx: &OrgTx<ProjectsRead>) {
    let _ = projects::Entity::find().all(tx).await;
}

fn main() {}

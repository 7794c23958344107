//! An operation in the transaction of another permission.

use insula_core::{
    base::permissions::ProjectsRead,
    storage::db::OrgTx,
    work::projects::{self, NewProject},
};

async fn create(tx: &OrgTx<ProjectsRead>, new: NewProject) {
    let _ = projects::create(tx, new).await; //~ E0308: mismatched types
}

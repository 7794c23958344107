//! A write in a transaction whose permission allows reads only.

use insula_core::{
    base::permissions::ProjectsRead,
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};

async fn change(tx: &OrgTx<ProjectsRead>, details: EventDetails) {
    let _ = tx.record(Action::ProjectCreated, "id", details).await; //~ E0599: the method `record` exists
}

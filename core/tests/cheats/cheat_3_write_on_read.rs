//! A change on the strength of a permission to look.

use insula_core::{
    base::permissions::ProjectsRead,
    storage::{
        audit::{Action, Details},
        db::OrgTx,
    },
};

async fn change(tx: &OrgTx<ProjectsRead>, details: Details) {
    let _ = tx.record(Action::ProjectCreated, "id", details).await;
}

fn main() {}

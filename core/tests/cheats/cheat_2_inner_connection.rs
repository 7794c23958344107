//! The connection inside the unit of work.

use insula_core::{base::permissions::ProjectsRead, storage::db::OrgTx};

fn take(tx: OrgTx<ProjectsRead>) {
    let _ = tx.open;
}

fn main() {}

//! The connection inside the unit of work.

use insula_core::{access::ProjectsRead, db::OrgTx};

fn take(tx: OrgTx<ProjectsRead>) {
    let _ = tx.open;
}

fn main() {}

//! The connection inside the transaction of an organization.

use insula_core::{base::permissions::ProjectsRead, storage::db::OrgTx};

fn take(tx: OrgTx<ProjectsRead>) {
    let _ = tx.open; //~ E0616: field `open` of struct `OrgTx` is private
}

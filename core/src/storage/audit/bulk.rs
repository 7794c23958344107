//! Events of several rows, each with facts of its own.

use std::fmt;

use super::{Action, Details, Outcome};
use crate::{Result, base::permissions::WritePermission, storage::db::OrgTx};

impl<P: WritePermission> OrgTx<P> {
    /// Appends an event of each of several resources, by one statement; nothing for none.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub(crate) async fn record_each(
        &self,
        action: Action,
        each: Vec<(impl fmt::Display + Send + Sync, Details)>,
    ) -> Result<()> {
        let each = each.iter().map(|(id, details)| (Some(id.to_string()), details)).collect();
        self.append(action, each, Outcome::Success).await
    }
}

//! Events about several resources, each with its own details.

use std::fmt;

use super::{Action, AuditOutcome, EventDetails};
use crate::{Result, base::permissions::WritePermission, storage::db::OrgTx};

impl<P: WritePermission> OrgTx<P> {
    /// Appends one event for each resource, with one statement; does nothing for an empty list.
    ///
    /// # Errors
    /// Database errors.
    pub(crate) async fn record_each(
        &self,
        action: Action,
        events: Vec<(impl fmt::Display + Send + Sync, EventDetails)>,
    ) -> Result<()> {
        let events = events.iter().map(|(id, details)| (Some(id.to_string()), details)).collect();
        self.append(action, events, AuditOutcome::Success).await
    }
}

//! `/admin`: the operations of superusers, who administer the platform.

pub(super) mod audit;
pub(super) mod emails;
pub(super) mod jobs;
pub(super) mod organizations;
pub(super) mod queues;
pub(super) mod users;
pub(super) mod users_bulk;
pub(super) mod users_change;

use insula_core::base::ids::OrgId;
use uuid::Uuid;

/// The organization of a row, as superusers see it. `None`: the row belongs to the platform.
fn tenant(org: OrgId) -> Option<Uuid> {
    (org != OrgId::PLATFORM).then_some(org.0)
}

//! `/admin`: what operators of the platform may ask.

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

/// The organization, as operators are shown whose a row is; `None`: the platform's own.
fn tenant(org: OrgId) -> Option<Uuid> {
    (org != OrgId::PLATFORM).then_some(org.0)
}

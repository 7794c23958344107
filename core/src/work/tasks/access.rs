//! The tasks that the caller can see.

use sea_orm::{ColumnTrait, Condition};

use super::entity::Column;
use crate::{base::permissions::RequiredPermission, storage::db::OrgTx, work::projects};

/// Tasks without a project, and those of a project that is not deleted and that the caller can see.
pub(crate) fn visible<P: RequiredPermission>(tx: &OrgTx<P>) -> Condition {
    let project =
        tx.in_rows_of::<projects::Entity>(Column::ProjectId, projects::Column::Id, projects::visible(tx));
    Condition::any().add(Column::ProjectId.is_null()).add(project)
}

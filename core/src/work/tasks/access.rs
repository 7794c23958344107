//! Who sees which tasks.

use sea_orm::{ColumnTrait, Condition};

use super::entity::Column;
use crate::{base::permissions::RequiredPermission, storage::db::OrgTx, work::projects};

/// The tasks that the caller sees: of no project, or of a living one that he sees.
pub(crate) fn visible<P: RequiredPermission>(tx: &OrgTx<P>) -> Condition {
    let project =
        tx.in_rows_of::<projects::Entity>(Column::ProjectId, projects::Column::Id, projects::visible(tx));
    Condition::any().add(Column::ProjectId.is_null()).add(project)
}

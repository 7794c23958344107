//! Who sees whose time.

use sea_orm::{ColumnTrait, Condition, sea_query::ExprTrait};

use super::entity::Column;
use crate::{
    Result,
    base::permissions::{Permission, RequiredPermission},
    storage::db::OrgTx,
    work::projects,
};

/// The time entries that the caller sees: his own; with `time_entries:read_all` everybody's, but for those of others on
/// private projects that he does not see, deleted ones too.
///
/// # Errors
/// `NOT_A_MEMBER` for whoever has no time of his own and sees nobody else's.
pub(crate) fn visible<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Condition> {
    if !tx.may(Permission::TimeEntriesReadAll) {
        return Ok(Condition::all().add(Column::MemberId.eq(tx.own_member()?)));
    }
    let Some(hidden) = projects::hidden(tx) else { return Ok(Condition::all()) };
    let hidden =
        tx.in_rows_of_including_deleted::<projects::Entity>(Column::ProjectId, projects::Column::Id, hidden);
    let open = Condition::any().add(Column::ProjectId.is_null()).add(hidden.not());
    Ok(open.add_option(tx.member().map(|member| Column::MemberId.eq(member))))
}

//! The time entries that the caller can see.

use sea_orm::{ColumnTrait, Condition, sea_query::ExprTrait};

use super::entity::Column;
use crate::{
    Result,
    base::permissions::{Permission, RequiredPermission},
    storage::db::OrgTx,
    work::projects,
};

/// The caller's own time entries; with `time_entries:read_all` those of all members, except entries of others on
/// private projects that the caller cannot see. Deleted private projects count too.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers who cannot see the entries of others.
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

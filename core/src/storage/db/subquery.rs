//! Conditions about rows of another table in the same organization.

use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, IntoCondition, SelectStatement},
};

use super::{OrgTx, TenantTable};
use crate::base::{ids::OrgId, permissions::RequiredPermission};

impl<P: RequiredPermission> OrgTx<P> {
    /// Does `column` equal `theirs` of a row of `R` in the organization that matches `condition` and is not deleted? To
    /// combine with other conditions; use [`super::ScopedQuery::where_in`] otherwise.
    pub(crate) fn in_rows_of<R: TenantTable>(
        &self,
        column: impl ColumnTrait,
        theirs: R::Column,
        condition: impl IntoCondition,
    ) -> Expr {
        column.in_subquery(subquery::<R>(self.org(), theirs, condition, R::DELETED))
    }

    /// Like [`OrgTx::in_rows_of`], including deleted rows.
    pub(crate) fn in_rows_of_including_deleted<R: TenantTable>(
        &self,
        column: impl ColumnTrait,
        theirs: R::Column,
        condition: impl IntoCondition,
    ) -> Expr {
        column.in_subquery(subquery::<R>(self.org(), theirs, condition, None))
    }
}

/// The values of `theirs` in the rows of `R` in an organization. `deleted`: the column that marks deleted rows.
pub(super) fn subquery<R: TenantTable>(
    org: OrgId,
    theirs: R::Column,
    condition: impl IntoCondition,
    deleted: Option<R::Column>,
) -> SelectStatement {
    let is_visible = deleted.map(|deleted| deleted.is_null());
    let scope = Condition::all().add(R::ORG.eq(org)).add_option(is_visible);
    let select = R::find().select_only().column(theirs).filter(condition.into_condition()).filter(scope);
    select.into_query()
}

//! Conditions that ask about rows of another table, inside the same organization.

use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, IntoCondition, SelectStatement},
};

use super::{OrgTx, TenantTable};
use crate::base::{ids::OrgId, permissions::RequiredPermission};

impl<P: RequiredPermission> OrgTx<P> {
    /// Does `column` stand in `theirs` of a living row of `R` in the organization that fulfils `condition`? To be combined
    /// with others; [`super::Scoped::whose`] where it stands alone.
    pub(crate) fn in_rows_of<R: TenantTable>(
        &self,
        column: impl ColumnTrait,
        theirs: R::Column,
        condition: impl IntoCondition,
    ) -> Expr {
        column.in_subquery(subquery::<R>(self.org(), theirs, condition, R::DELETED))
    }

    /// As [`OrgTx::among`], where deleted rows count, too.
    pub(crate) fn in_rows_of_including_deleted<R: TenantTable>(
        &self,
        column: impl ColumnTrait,
        theirs: R::Column,
        condition: impl IntoCondition,
    ) -> Expr {
        column.in_subquery(subquery::<R>(self.org(), theirs, condition, None))
    }
}

/// What stands in `theirs` of the rows of `R` in an organization; `deleted`: the column that tells which live.
pub(super) fn subquery<R: TenantTable>(
    org: OrgId,
    theirs: R::Column,
    condition: impl IntoCondition,
    deleted: Option<R::Column>,
) -> SelectStatement {
    let lives = deleted.map(|deleted| deleted.is_null());
    let scope = Condition::all().add(R::ORG.eq(org)).add_option(lives);
    let select = R::find().select_only().column(theirs).filter(condition.into_condition()).filter(scope);
    select.into_query()
}

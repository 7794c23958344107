//! Texts that contain another one.

use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, LikeExpr},
};

/// What makes the next character of a pattern mean itself. Not `\`, which the databases read differently.
const ESCAPE: char = '!';

/// Does the text in `column` contain `part`, letter by letter? Both are canonical forms: the databases disagree about case.
pub(crate) fn contains(column: impl ColumnTrait, part: &str) -> Expr {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(c);
    }
    pattern.push('%');
    column.like(LikeExpr::new(pattern).escape(ESCAPE))
}

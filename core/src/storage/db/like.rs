//! Searches for a part of a text.

use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, LikeExpr},
};

use crate::base::text::SearchTerm;

/// Escapes the next character of a pattern. Not `\`, which the databases interpret differently.
const ESCAPE: char = '!';

/// Is `term` in the search key in `column`?
pub(crate) fn contains_term(column: impl ColumnTrait, term: &SearchTerm) -> Expr {
    contains(column, &term.search_key())
}

/// Does the text in `column` contain `part`? Both must be canonical forms, because the databases treat case
/// differently.
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

//! Lists that become values of a statement: cut into pieces, since no database takes any number of them.

use sea_orm::{DbErr, EntityTrait, Iterable, Statement};

/// Most values of one statement: SQLite takes 32,766, PostgreSQL 65,535. The same for both, so that what is too much for the
/// one fails on the other, too.
const MOST: usize = 32_766;

/// How many of them a list may make; the rest is for what else its statement says.
const MOST_OF_LIST: usize = 32_000;

/// Cuts a list, in its order, into pieces that one statement can name.
pub(crate) fn chunks<T>(list: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    cut(list, MOST_OF_LIST)
}

/// Cuts rows of `E` into pieces that one statement can insert.
pub(super) fn rows<E: EntityTrait, T>(list: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    tuples(list, E::Column::iter().count())
}

/// Cuts a list, each of which makes `width` values, into pieces that one statement can name.
pub(super) fn tuples<T>(list: impl IntoIterator<Item = T>, width: usize) -> impl Iterator<Item = Vec<T>> {
    cut(list, MOST_OF_LIST / width.max(1))
}

fn cut<T>(list: impl IntoIterator<Item = T>, most: usize) -> impl Iterator<Item = Vec<T>> {
    let mut list = list.into_iter();
    std::iter::from_fn(move || {
        let piece: Vec<_> = list.by_ref().take(most).collect();
        (!piece.is_empty()).then_some(piece)
    })
}

/// Refuses a statement that only one of the databases would take, wherever it runs.
///
/// # Errors
/// When it has too many values: its list was not cut.
pub(super) fn refuse_too_many(statement: &Statement) -> Result<(), DbErr> {
    match &statement.values {
        Some(values) if values.0.len() > MOST => {
            Err(DbErr::Custom("a statement has too many values: cut the list with `db::pieces`".to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_in_its_order() {
        let lengths =
            |list: usize, width| tuples(0..list, width).map(|piece| piece.len()).collect::<Vec<_>>();
        assert_eq!(lengths(0, 1), [0; 0]);
        assert_eq!(lengths(32_000, 1), [32_000]);
        assert_eq!(lengths(40_000, 1), [32_000, 8_000]);
        assert_eq!(lengths(5, 16_000), [2, 2, 1]);
        assert_eq!(chunks(0..40_000).flatten().collect::<Vec<_>>(), (0..40_000).collect::<Vec<_>>());
    }
}

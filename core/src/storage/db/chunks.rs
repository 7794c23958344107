//! Splits lists that become values of a statement, because databases limit the number of values.

use sea_orm::{DbErr, EntityTrait, Iterable, Statement};

/// Maximum number of values in one statement. SQLite accepts 32,766 and PostgreSQL 65,535. The limit is the same for
/// both, so that a statement which is too large for one also fails on the other.
const MAX_VALUES: usize = 32_766;

/// Maximum number of values in a list. The rest is for the other values of its statement.
pub(super) const MAX_LIST_VALUES: usize = 32_000;

/// Splits a list, in its order, into chunks for one statement each.
pub(crate) fn chunks<T>(list: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    split(list, MAX_LIST_VALUES)
}

/// Splits rows of `E` into chunks that one statement can insert.
pub(super) fn rows<E: EntityTrait, T>(list: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    tuples(list, E::Column::iter().count())
}

/// Splits a list whose items have `width` values each into chunks for one statement each.
pub(super) fn tuples<T>(list: impl IntoIterator<Item = T>, width: usize) -> impl Iterator<Item = Vec<T>> {
    split(list, MAX_LIST_VALUES / width.max(1))
}

fn split<T>(list: impl IntoIterator<Item = T>, max: usize) -> impl Iterator<Item = Vec<T>> {
    let mut list = list.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<_> = list.by_ref().take(max).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Refuses a statement that only one of the databases would accept.
///
/// # Errors
/// If it has too many values, because its list was not split.
pub(super) fn refuse_too_many(statement: &Statement) -> Result<(), DbErr> {
    match &statement.values {
        Some(values) if values.0.len() > MAX_VALUES => {
            Err(DbErr::Custom("a statement has too many values: split the list with `db::chunks`".to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_in_its_order() {
        let lengths =
            |list: usize, width| tuples(0..list, width).map(|chunk| chunk.len()).collect::<Vec<_>>();
        assert_eq!(lengths(0, 1), [0; 0]);
        assert_eq!(lengths(32_000, 1), [32_000]);
        assert_eq!(lengths(40_000, 1), [32_000, 8_000]);
        assert_eq!(lengths(5, 16_000), [2, 2, 1]);
        assert_eq!(chunks(0..40_000).flatten().collect::<Vec<_>>(), (0..40_000).collect::<Vec<_>>());
    }
}

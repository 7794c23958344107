//! Pages of lists by keyset: where one ends is where the next begins, whatever was added meanwhile.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn,
    QueryFilter, QueryOrder, QuerySelect, Select, SelectTwo, Value,
    sea_query::{Expr, ExprTrait, NullOrdering, Order},
};

use crate::{
    Error, Result,
    base::pagination::{CursorPosition, Page, PageRequest, SortValue},
};

/// A key that a list of `Self::Table` can be ordered by: a column, indexed with the id, and with the organization where the
/// list is one organization's. Rows without a value come last, and first in the reverse.
pub trait SortKey: Copy {
    /// The table listed; its primary key is one column, the id.
    type Table: EntityTrait;

    /// The column of the key: of text, of numbers or of instants.
    fn column(self) -> <Self::Table as EntityTrait>::Column;
}

/// One page of what `select` gives, in the order of `listing`.
pub(super) async fn page<K: SortKey>(
    select: Select<K::Table>,
    connection: &impl ConnectionTrait,
    listing: PageRequest<K>,
) -> Result<Page<<K::Table as EntityTrait>::Model>>
where
    <K::Table as EntityTrait>::Model: Send + Sync,
{
    let data = part(select, &listing)?.all(connection).await?;
    cut(data, &listing, |row| row)
}

/// As [`page`], each row with one of another table.
pub(super) async fn page_with<K: SortKey, R: EntityTrait>(
    select: SelectTwo<K::Table, R>,
    connection: &impl ConnectionTrait,
    listing: PageRequest<K>,
) -> Result<Page<(<K::Table as EntityTrait>::Model, R::Model)>>
where
    <K::Table as EntityTrait>::Model: Send + Sync,
    R::Model: Send + Sync,
{
    let data = part(select, &listing)?.all(connection).await?;
    let data = data.into_iter().filter_map(|(row, other)| Some((row, other?)));
    cut(data.collect(), &listing, |(row, _)| row)
}

/// The rows from where the page begins, in its order; one more than asked for: it tells whether there is a next page.
fn part<K: SortKey, S: QueryFilter + QueryOrder + QuerySelect>(
    select: S,
    listing: &PageRequest<K>,
) -> Result<S> {
    let (key, id) = (listing.sort.key.column(), id::<K::Table>()?);
    let descending = listing.sort.descending;
    let select = match listing.after.clone() {
        Some(after) => select.filter(beyond(key, id, after, descending)),
        None => select,
    };
    let order = if descending { Order::Desc } else { Order::Asc };
    let select = match (key.def().is_null(), descending) {
        (false, _) => select.order_by(key, order.clone()),
        // What PostgreSQL does by itself, so that one index serves both directions.
        (true, false) => select.order_by_with_nulls(key, order.clone(), NullOrdering::Last),
        (true, true) => select.order_by_with_nulls(key, order.clone(), NullOrdering::First),
    };
    Ok(select.order_by(id, order).limit(listing.limit + 1))
}

/// What comes after a place, in the order of `(key IS NULL, key, id)` or its reverse.
fn beyond<C: ColumnTrait>(key: C, id: C, after: CursorPosition, descending: bool) -> Condition {
    let past = |row: Expr, place: Expr| if descending { row.lt(place) } else { row.gt(place) };
    match value(after.key) {
        Some(value) => {
            // A row value: `a > x OR (a = x AND b > y)` would read every row before the page.
            let place = Expr::tuple([Expr::value(value), Expr::value(after.id)]);
            let later = past(Expr::tuple([key.into_expr(), id.into_expr()]), place);
            let without = (key.def().is_null() && !descending).then(|| key.is_null());
            Condition::any().add(later).add_option(without)
        }
        None => {
            let later = past(id.into_expr(), Expr::value(after.id));
            let among = Condition::all().add(key.is_null()).add(later);
            Condition::any().add(among).add_option(descending.then(|| key.is_not_null()))
        }
    }
}

/// The page, without the row that is one too many.
fn cut<K: SortKey, T>(
    mut data: Vec<T>,
    listing: &PageRequest<K>,
    row: impl Fn(&T) -> &<K::Table as EntityTrait>::Model,
) -> Result<Page<T>> {
    let more = data.len() as u64 > listing.limit;
    data.truncate(usize::try_from(listing.limit).unwrap_or(usize::MAX));
    let key = listing.sort.key.column();
    let next = data.last().filter(|_| more).map(|last| after::<K::Table>(row(last), key)).transpose()?;
    Ok(Page { data, next })
}

/// The place of a row in a list ordered by `key`.
fn after<E: EntityTrait>(row: &E::Model, key: E::Column) -> Result<CursorPosition> {
    let key = match row.get(key) {
        Value::String(Some(text)) => SortValue::Text(text),
        Value::ChronoDateTimeUtc(Some(instant)) => SortValue::Instant(instant),
        Value::BigInt(Some(number)) => SortValue::Number(number),
        Value::Int(Some(number)) => SortValue::Number(number.into()),
        Value::String(None) | Value::ChronoDateTimeUtc(None) => SortValue::Null,
        _ => {
            return Err(Error::Broken(
                "a list is sorted by a key that is neither text nor number nor instant",
            ));
        }
    };
    match row.get(id::<E>()?) {
        Value::Uuid(Some(id)) => Ok(CursorPosition { key, id }),
        _ => Err(Error::Broken("an id is not a UUID")),
    }
}

/// The column of the id.
fn id<E: EntityTrait>() -> Result<E::Column> {
    let key = E::PrimaryKey::iter().next().map(PrimaryKeyToColumn::into_column);
    key.ok_or(Error::Broken("a table that is listed has no primary key"))
}

/// `None`: of a row that has none.
fn value(key: SortValue) -> Option<Value> {
    match key {
        SortValue::Text(text) => Some(text.into()),
        SortValue::Instant(instant) => Some(instant.into()),
        SortValue::Number(number) => Some(number.into()),
        SortValue::Null => None,
    }
}

//! Keyset pagination. A page starts where the previous one ended, whatever was added meanwhile.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn,
    QueryFilter, QueryOrder, QuerySelect, Select, SelectTwo, Value,
    sea_query::{Expr, ExprTrait, NullOrdering, Order},
};

use crate::{
    Error, Result,
    base::pagination::{CursorPosition, Page, PageRequest, SortValue},
};

/// A sort key of a list of `Self::Table`. Its column has an index together with the id, and with the organization for
/// lists of one organization. Rows without a value come last, or first in descending order.
pub trait SortKey: Copy {
    /// The listed table. Its primary key is one column, the id.
    type Table: EntityTrait;

    /// The column of the key: text, number or instant.
    fn column(self) -> <Self::Table as EntityTrait>::Column;
}

/// One page of `select`, in the order of `request`.
pub(super) async fn page<K: SortKey>(
    select: Select<K::Table>,
    connection: &impl ConnectionTrait,
    request: PageRequest<K>,
) -> Result<Page<<K::Table as EntityTrait>::Model>>
where
    <K::Table as EntityTrait>::Model: Send + Sync,
{
    let data = page_query(select, &request)?.all(connection).await?;
    into_page(data, &request, |row| row)
}

/// Like [`page`], each row with one of another table.
pub(super) async fn page_with<K: SortKey, R: EntityTrait>(
    select: SelectTwo<K::Table, R>,
    connection: &impl ConnectionTrait,
    request: PageRequest<K>,
) -> Result<Page<(<K::Table as EntityTrait>::Model, R::Model)>>
where
    <K::Table as EntityTrait>::Model: Send + Sync,
    R::Model: Send + Sync,
{
    let data = page_query(select, &request)?.all(connection).await?;
    let data = data.into_iter().filter_map(|(row, other)| Some((row, other?)));
    into_page(data.collect(), &request, |(row, _)| row)
}

/// The rows of the page, in its order, and one more, which shows whether there is a next page.
pub(super) fn page_query<K: SortKey, S: QueryFilter + QueryOrder + QuerySelect>(
    select: S,
    request: &PageRequest<K>,
) -> Result<S> {
    let (key, id) = (request.sort.key.column(), id::<K::Table>()?);
    let descending = request.sort.descending;
    let select = match request.after.clone() {
        Some(after) => select.filter(after_position(key, id, after, descending)),
        None => select,
    };
    let order = if descending { Order::Desc } else { Order::Asc };
    let select = match (key.def().is_null(), descending) {
        (false, _) => select.order_by(key, order.clone()),
        // As PostgreSQL does by default, so that one index serves both directions.
        (true, false) => select.order_by_with_nulls(key, order.clone(), NullOrdering::Last),
        (true, true) => select.order_by_with_nulls(key, order.clone(), NullOrdering::First),
    };
    Ok(select.order_by(id, order).limit(request.limit + 1))
}

/// The rows after a position, in the order of `(key IS NULL, key, id)` or its reverse.
fn after_position<C: ColumnTrait>(key: C, id: C, after: CursorPosition, descending: bool) -> Condition {
    let is_after = |row: Expr, position: Expr| if descending { row.lt(position) } else { row.gt(position) };
    match value(after.key) {
        Some(value) => {
            // A row value, because `a > x OR (a = x AND b > y)` would read every row before the page.
            let position = Expr::tuple([Expr::value(value), Expr::value(after.id)]);
            let rows_after = is_after(Expr::tuple([key.into_expr(), id.into_expr()]), position);
            let without = (key.def().is_null() && !descending).then(|| key.is_null());
            Condition::any().add(rows_after).add_option(without)
        }
        None => {
            let rows_after = is_after(id.into_expr(), Expr::value(after.id));
            let same_without_value = Condition::all().add(key.is_null()).add(rows_after);
            Condition::any().add(same_without_value).add_option(descending.then(|| key.is_not_null()))
        }
    }
}

/// The page, without the additional row.
pub(super) fn into_page<K: SortKey, T>(
    mut data: Vec<T>,
    request: &PageRequest<K>,
    row: impl Fn(&T) -> &<K::Table as EntityTrait>::Model,
) -> Result<Page<T>> {
    let has_more = data.len() as u64 > request.limit;
    data.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
    let key = request.sort.key.column();
    let next =
        data.last().filter(|_| has_more).map(|last| position_of::<K::Table>(row(last), key)).transpose()?;
    Ok(Page { data, next })
}

/// The position of a row in a list ordered by `key`.
fn position_of<E: EntityTrait>(row: &E::Model, key: E::Column) -> Result<CursorPosition> {
    let key = match row.get(key) {
        Value::String(Some(text)) => SortValue::Text(text),
        Value::ChronoDateTimeUtc(Some(instant)) => SortValue::Instant(instant),
        Value::BigInt(Some(number)) => SortValue::Number(number),
        Value::Int(Some(number)) => SortValue::Number(number.into()),
        Value::String(None) | Value::ChronoDateTimeUtc(None) => SortValue::Null,
        _ => {
            return Err(Error::Internal(
                "a list is sorted by a key that is neither text nor number nor instant",
            ));
        }
    };
    match row.get(id::<E>()?) {
        Value::Uuid(Some(id)) => Ok(CursorPosition { key, id }),
        _ => Err(Error::Internal("an id is not a UUID")),
    }
}

/// The column of the id.
fn id<E: EntityTrait>() -> Result<E::Column> {
    let key = E::PrimaryKey::iter().next().map(PrimaryKeyToColumn::into_column);
    key.ok_or(Error::Internal("a table that is listed has no primary key"))
}

/// The SQL value; `None` for a row without a value.
fn value(key: SortValue) -> Option<Value> {
    match key {
        SortValue::Text(text) => Some(text.into()),
        SortValue::Instant(instant) => Some(instant.into()),
        SortValue::Number(number) => Some(number.into()),
        SortValue::Null => None,
    }
}

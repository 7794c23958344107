//! A query inside one organization, whatever else it asks: the scope is added last, on every table named.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, ModelTrait, PaginatorTrait, PartialModelTrait,
    QueryFilter, QueryOrder, QuerySelect, Related, Select, SelectExt, Value,
    sea_query::{Expr, ExprTrait, IntoCondition, LockType, Order},
};

use super::{TenantTable, transaction::Transaction};
use crate::{
    Error, Result,
    ids::OrgId,
    page::{After, KeyValue, Listing, Page},
};

/// A key that a list of `Self::Table` can be ordered by: a column that is never null, indexed with the organization.
pub trait SortKey: Copy {
    /// The table listed.
    type Table: TenantTable;

    /// The column of the key: of text or of instants.
    fn column(self) -> <Self::Table as EntityTrait>::Column;
}

/// A query that will run inside the organization, whatever else it asks.
#[must_use]
pub struct Scoped<'tx, E: EntityTrait> {
    tx: &'tx Transaction,
    org: OrgId,
    select: Select<E>,
    deleted: bool,
}

impl<'tx, E: TenantTable> Scoped<'tx, E>
where
    E::Model: Send + Sync,
{
    pub(super) fn new(tx: &'tx Transaction, org: OrgId, deleted: bool) -> Self {
        Self { tx, org, select: E::find(), deleted }
    }

    /// Only rows that fulfil `condition`; it is joined to the scope by AND, so no OR inside widens it.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    /// Only rows with this value, where one is given.
    pub fn filter_some<V: Into<Value>>(self, column: E::Column, value: Option<V>) -> Self {
        match value {
            Some(value) => self.filter(column.eq(value)),
            None => self,
        }
    }

    /// Adds the row of `R` in the same organization that this one refers to; a row without one stays, and so does one
    /// whose `R` was deleted (left join: the scope goes into ON).
    pub fn join<R: TenantTable>(mut self) -> Self
    where
        E: Related<R>,
    {
        let (org, deleted) = (self.org, R::DELETED);
        let on = <E as Related<R>>::to().on_condition(move |_, right| {
            let scope = Condition::all().add(Expr::col((right.clone(), R::ORG)).eq(org));
            scope.add_option(deleted.map(|column| Expr::col((right, column)).is_null()))
        });
        self.select = self.select.join(JoinType::LeftJoin, on);
        self
    }

    fn sealed(self) -> Select<E> {
        let lives = E::DELETED.map(|column| match self.deleted {
            true => column.is_not_null(),
            false => column.is_null(),
        });
        self.select.filter(Condition::all().add(E::ORG.eq(self.org)).add_option(lives))
    }

    /// Every row. For sets that are small by their nature; lists are pages.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let tx = self.tx;
        Ok(self.sealed().all(tx).await?)
    }

    /// The one row.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn one(self) -> Result<E::Model> {
        let tx = self.tx;
        self.sealed().one(tx).await?.ok_or(Error::NotFound(E::NAME))
    }

    /// The one row, locked against other writers until the transaction ends.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Unavailable` when another writer holds it too long.
    pub async fn one_locked(self) -> Result<E::Model> {
        let tx = self.tx;
        self.sealed().lock(LockType::Update).one(tx).await?.ok_or(Error::NotFound(E::NAME))
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn count(self) -> Result<u64> {
        let tx = self.tx;
        Ok(self.sealed().count(tx).await?)
    }

    /// Is there any row?
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn exists(self) -> Result<bool> {
        let tx = self.tx;
        Ok(self.sealed().exists(tx).await?)
    }

    /// Only the columns that `V` names, nested ones from joined tables too, ordered by `column`.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn views<V: PartialModelTrait + Send + Sync>(self, column: E::Column) -> Result<Vec<V>> {
        let tx = self.tx;
        Ok(self.sealed().order_by(column, Order::Asc).into_partial_model::<V>().all(tx).await?)
    }

    /// One page of the list, by keyset.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn page<K: SortKey<Table = E>>(self, listing: Listing<K>) -> Result<Page<E::Model>> {
        let (tx, key) = (self.tx, listing.sort.key.column());
        let mut select = self.sealed();
        if let Some(after) = listing.after {
            // A row value: `a > x OR (a = x AND b > y)` would read every row before the page.
            let row = Expr::tuple([key.into_expr(), E::ID.into_expr()]);
            let place = Expr::tuple([Expr::value(Value::from(after.key)), Expr::value(after.id)]);
            select = select.filter(if listing.sort.descending { row.lt(place) } else { row.gt(place) });
        }
        let order = if listing.sort.descending { Order::Desc } else { Order::Asc };
        // One more than asked for: it tells whether there is a next page.
        let select = select.order_by(key, order.clone()).order_by(E::ID, order).limit(listing.limit + 1);
        let mut data = select.all(tx).await?;
        let more = data.len() as u64 > listing.limit;
        data.truncate(usize::try_from(listing.limit).unwrap_or(usize::MAX));
        let next = data.last().filter(|_| more).map(|last| after::<E>(last, key)).transpose()?;
        Ok(Page { data, next })
    }
}

/// The place of a row in a list ordered by `key`.
fn after<E: TenantTable>(row: &E::Model, key: E::Column) -> Result<After> {
    let key = match row.get(key) {
        Value::String(Some(text)) => KeyValue::Text(text),
        Value::ChronoDateTimeUtc(Some(instant)) => KeyValue::Instant(instant),
        _ => return Err(Error::Broken("a list is sorted by a key that is neither text nor an instant")),
    };
    match row.get(E::ID) {
        Value::Uuid(Some(id)) => Ok(After { key, id }),
        _ => Err(Error::Broken("an id is not a UUID")),
    }
}

impl From<KeyValue> for Value {
    fn from(key: KeyValue) -> Self {
        match key {
            KeyValue::Text(text) => text.into(),
            KeyValue::Instant(instant) => instant.into(),
        }
    }
}

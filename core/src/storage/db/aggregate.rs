//! Sums of the durations of rows, grouped by ids and time buckets. They are computed in the database, so that a million
//! rows become a few groups.

use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect,
    QueryTrait, Statement, Value,
    prelude::Uuid,
    sea_query::{
        Alias, CaseStatement, Expr, ExprTrait, Func, IntoColumnRef, IntoIden, Query, SelectStatement,
        TableRef, UnionType, ValueTuple,
    },
};

use super::{OrgTx, TenantTable, transaction::Transaction};
use crate::{Result, base::permissions::RequiredPermission};

/// The rows to sum up, clipped to the whole period, in whole seconds since 1970.
const INTERVALS: &str = "intervals";
const STARTED: &str = "started";
const ENDED: &str = "ended";

/// The buckets. Both databases name the columns of a list of values like this.
const EACH: &str = "each";
const SLOT: &str = "column1";
const PIECE: &str = "column2";
const FROM: &str = "column3";
const UNTIL: &str = "column4";

/// The slot of rows that last longer than one slot.
const LONG: i64 = -1;

/// A table whose rows have a start and an end, and may be linked to several other rows.
pub(crate) trait IntervalTable: TenantTable {
    /// The column with the start of a row.
    const START: Self::Column;
    /// The column with the end of a row; NULL while it runs.
    const END: Self::Column;
    /// The table that links rows to other rows.
    type Link: TenantTable;
    /// The column of a link with the id of the row.
    const ROW: <Self::Link as EntityTrait>::Column;
    /// The column of a link with the id of the other row.
    const OTHER: <Self::Link as EntityTrait>::Column;
}

/// What rows are grouped by, in addition to the time buckets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupKey<E: EntityTrait> {
    /// A column with ids in the row itself.
    Own(E::Column),
    /// The linked rows. A row counts once for each of them.
    Linked,
}

/// A time bucket, in whole seconds since 1970. Its end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeBucket {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// A grouping: at most two keys, and buckets that follow each other without gaps.
#[derive(Clone, Debug)]
pub(crate) struct Aggregation<E: EntityTrait> {
    pub(crate) keys: [Option<GroupKey<E>>; 2],
    pub(crate) pieces: Vec<TimeBucket>,
}

/// The totals of one group.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct AggregateRow {
    /// Index of the grouping.
    pub(crate) question: i64,
    /// Index of the bucket.
    pub(crate) piece: i64,
    /// The values of the keys.
    pub(crate) first: Option<Uuid>,
    pub(crate) second: Option<Uuid>,
    /// Total in whole seconds.
    pub(crate) seconds: i64,
    /// Number of rows in the group.
    pub(crate) entries: i64,
}

impl<P: RequiredPermission> OrgTx<P> {
    /// Computes several groupings of the rows that match `condition` and are not deleted, with one statement. Empty
    /// groups are left out. Running rows end now. Every matching row must overlap with the buckets of each grouping.
    pub(crate) async fn sums<E: IntervalTable>(
        &self,
        condition: &Condition,
        questions: &[Aggregation<E>],
    ) -> Result<Vec<AggregateRow>> {
        let mut selects =
            (0..).zip(questions).map(|(number, question)| self.sum(number, question, condition.clone()));
        let Some(mut all) = selects.next() else { return Ok(Vec::new()) };
        selects.for_each(|select| {
            all.union(UnionType::All, select);
        });
        let (connection, backend) = self.connection();
        let statement: Statement = backend.build(&all);
        Ok(AggregateRow::find_by_statement(statement).all(connection).await?)
    }

    fn sum<E: IntervalTable>(
        &self,
        number: i64,
        question: &Aggregation<E>,
        condition: Condition,
    ) -> SelectStatement {
        let (from, until) = (question.pieces.first().map(|bucket| bucket.from), question.pieces.last());
        let (from, until) = (from.unwrap_or_default(), until.map(|bucket| bucket.until).unwrap_or_default());
        let (width, each) = slots(&question.pieces, from, until);
        let (started, ended) = (|| of(INTERVALS, STARTED), || of(INTERVALS, ENDED));
        let length = Func::least([ended(), of(EACH, UNTIL)]);
        let length = Expr::from(length).sub(Func::greatest([started(), of(EACH, FROM)]));
        let slot = CaseStatement::new()
            .case(ended().sub(started()).gt(width), LONG)
            .finally(started().sub(from).div(width));

        let mut select = Query::select();
        select
            .expr_as(number, "question")
            .expr_as(of(EACH, PIECE), "piece")
            .from_subquery(self.intervals::<E>(&question.keys, condition, from, until), INTERVALS);
        // In this order, SQLite looks up the buckets of each row, not the rows of each bucket.
        select.cross_join(TableRef::ValuesList(each, Alias::new(EACH).into_iden()));
        for ((key, name), own) in question.keys.iter().zip(["first", "second"]).zip(OWN) {
            match key {
                Some(GroupKey::Own(_)) => {
                    select.expr_as(of(INTERVALS, own), name).add_group_by([of(INTERVALS, own)])
                }
                Some(GroupKey::Linked) => {
                    let other = Expr::col((E::Link::default(), E::OTHER));
                    let here = Expr::col((E::Link::default(), E::ROW)).eq(of(INTERVALS, ID));
                    let scope = Expr::col((E::Link::default(), <E::Link as TenantTable>::ORG)).eq(self.org());
                    select
                        .join(JoinType::LeftJoin, E::Link::default(), here.and(scope))
                        .expr_as(other.clone(), name)
                        .add_group_by([other])
                }
                None => select.expr_as(Expr::value(None::<Uuid>), name),
            };
        }
        select
            .expr_as(Func::sum(length).cast_as("bigint"), "seconds")
            .expr_as(Func::count(Expr::col(sea_orm::sea_query::Asterisk)), "entries")
            .and_where(of(EACH, SLOT).eq(slot))
            .and_where(started().lt(of(EACH, UNTIL)))
            // A row without duration belongs to the bucket in which it starts.
            .and_where(ended().gt(of(EACH, FROM)).or(started().gte(of(EACH, FROM))))
            .add_group_by([of(EACH, PIECE)]);
        select
    }

    /// The rows of the organization, clipped to the whole period.
    fn intervals<E: IntervalTable>(
        &self,
        keys: &[Option<GroupKey<E>>; 2],
        condition: Condition,
        from: i64,
        until: i64,
    ) -> SelectStatement {
        let started = Expr::from(Func::greatest([self.seconds(E::START), from.into()]));
        let ended = Func::coalesce([self.seconds(E::END), self.now().timestamp().into()]);
        let ended = Func::least([ended.into(), until.into()]);
        // After the clock was set back, a running row could end before its start.
        let ended = Expr::from(Func::greatest([started.clone(), ended.into()]));
        let lives = E::DELETED.map(|column| column.is_null());
        let scope = Condition::all().add(E::ORG.eq(self.org())).add_option(lives);
        let mut select = E::find()
            .select_only()
            .column_as(E::ID, ID)
            .column_as(started, STARTED)
            .column_as(ended, ENDED)
            .filter(condition)
            .filter(scope);
        for (key, own) in keys.iter().zip(OWN) {
            if let Some(GroupKey::Own(column)) = key {
                select = select.column_as(*column, own);
            }
        }
        select.into_query()
    }

    /// An instant in seconds since 1970, independent of the time zone of the session.
    fn seconds(&self, column: impl ColumnTrait) -> Expr {
        let (_, backend) = self.connection();
        match backend {
            DbBackend::Postgres => {
                Expr::cust_with_expr("CAST(EXTRACT(EPOCH FROM $1) AS bigint)", column.into_expr())
            }
            _ => Func::cust("unixepoch").arg(column.into_expr()).into(),
        }
    }

    fn connection(&self) -> (&Transaction, DbBackend) {
        let transaction = self.transaction();
        (transaction, sea_orm::ConnectionTrait::get_database_backend(transaction))
    }
}

/// Names of the row's id and of its keys.
const ID: &str = "id";
const OWN: [&str; 2] = ["key1", "key2"];

fn of(table: &'static str, column: &'static str) -> Expr {
    Expr::col((Alias::new(table), Alias::new(column)).into_column_ref())
}

/// The width of a slot, and a list of `(slot, bucket, from, until)`. It contains, for every slot, the buckets that can
/// overlap with a row that starts in the slot and is not longer than a slot, and all buckets for longer rows. A row is
/// therefore compared with a few buckets only, by equality, for which both databases have an index or a hash.
fn slots(pieces: &[TimeBucket], from: i64, until: i64) -> (i64, Vec<ValueTuple>) {
    let number = Ord::max(i64::try_from(pieces.len()).unwrap_or(i64::MAX), 1);
    let width = Ord::max((until - from + number - 1) / number, 1);
    let row = |slot: i64, index: usize, piece: &TimeBucket| {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        ValueTuple::Many([slot, index, piece.from, piece.until].map(Value::from).to_vec())
    };
    let all = pieces.iter().enumerate().map(|(index, piece)| row(LONG, index, piece));
    let by_slot = (0..number).flat_map(|slot| {
        let (begin, reach) = (from + slot * width, from + (slot + 2) * width);
        let overlapping =
            pieces.iter().enumerate().filter(move |(_, piece)| piece.from <= reach && piece.until > begin);
        overlapping.map(move |(index, piece)| row(slot, index, piece))
    });
    (width, all.chain(by_slot).collect())
}

//! Sums of rows that last, cut where pieces of time begin and end. In the database: of a million rows come a few groups.

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

/// The rows that are summed up, cut at the ends of the whole: whole seconds since 1970.
const STRETCH: &str = "stretch";
const STARTED: &str = "started";
const ENDED: &str = "ended";

/// The pieces; both databases call the columns of a list of values so.
const EACH: &str = "each";
const SLOT: &str = "column1";
const PIECE: &str = "column2";
const FROM: &str = "column3";
const UNTIL: &str = "column4";

/// The slot of rows that last longer than a slot.
const LONG: i64 = -1;

/// A table whose rows last, and may be linked to several of something.
pub(crate) trait IntervalTable: TenantTable {
    /// The column of the instant at which a row begins.
    const START: Self::Column;
    /// The column of the instant at which it ends; NULL while it runs.
    const END: Self::Column;
    /// What links rows to several of something.
    type Link: TenantTable;
    /// The column of a link that names the row.
    const ROW: <Self::Link as EntityTrait>::Column;
    /// The column of a link that names the other thing.
    const OTHER: <Self::Link as EntityTrait>::Column;
}

/// What rows are grouped by, beside the pieces of time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupKey<E: EntityTrait> {
    /// A column of ids of their own.
    Own(E::Column),
    /// What they are linked to: a row counts once for each.
    Linked,
}

/// A piece of time, in whole seconds since 1970; its end is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeBucket {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// One grouping: the keys, at most two, and the pieces, which follow upon each other without a gap.
#[derive(Clone, Debug)]
pub(crate) struct Aggregation<E: EntityTrait> {
    pub(crate) keys: [Option<GroupKey<E>>; 2],
    pub(crate) pieces: Vec<TimeBucket>,
}

/// What the rows of one group come to.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct AggregateRow {
    /// Which question this answers.
    pub(crate) question: i64,
    /// Which of its pieces.
    pub(crate) piece: i64,
    /// The values of its keys.
    pub(crate) first: Option<Uuid>,
    pub(crate) second: Option<Uuid>,
    /// Whole seconds.
    pub(crate) seconds: i64,
    /// Rows with a part in it.
    pub(crate) entries: i64,
}

impl<P: RequiredPermission> OrgTx<P> {
    /// Answers all questions about the living rows that `condition` names, by one statement; groups of nothing are left
    /// out. What runs lasts until now. Every row named must overlap with the pieces of each question.
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
        let (from, until) = (question.pieces.first().map(|it| it.from), question.pieces.last());
        let (from, until) = (from.unwrap_or_default(), until.map(|it| it.until).unwrap_or_default());
        let (width, each) = slotted(&question.pieces, from, until);
        let (started, ended) = (|| of(STRETCH, STARTED), || of(STRETCH, ENDED));
        let length = Func::least([ended(), of(EACH, UNTIL)]);
        let length = Expr::from(length).sub(Func::greatest([started(), of(EACH, FROM)]));
        let slot = CaseStatement::new()
            .case(ended().sub(started()).gt(width), LONG)
            .finally(started().sub(from).div(width));

        let mut select = Query::select();
        select
            .expr_as(number, "question")
            .expr_as(of(EACH, PIECE), "piece")
            .from_subquery(self.stretches::<E>(&question.keys, condition, from, until), STRETCH);
        // In this order: SQLite looks up the pieces of each row, not the rows of each piece.
        select.cross_join(TableRef::ValuesList(each, Alias::new(EACH).into_iden()));
        for ((key, name), own) in question.keys.iter().zip(["first", "second"]).zip(OWN) {
            match key {
                Some(GroupKey::Own(_)) => {
                    select.expr_as(of(STRETCH, own), name).add_group_by([of(STRETCH, own)])
                }
                Some(GroupKey::Linked) => {
                    let other = Expr::col((E::Link::default(), E::OTHER));
                    let here = Expr::col((E::Link::default(), E::ROW)).eq(of(STRETCH, ID));
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
            // What lasts no time lies in the piece that it begins in.
            .and_where(ended().gt(of(EACH, FROM)).or(started().gte(of(EACH, FROM))))
            .add_group_by([of(EACH, PIECE)]);
        select
    }

    /// The rows inside the organization, cut at the ends of the whole.
    fn stretches<E: IntervalTable>(
        &self,
        keys: &[Option<GroupKey<E>>; 2],
        condition: Condition,
        from: i64,
        until: i64,
    ) -> SelectStatement {
        let started = Expr::from(Func::greatest([self.seconds(E::START), from.into()]));
        let ended = Func::coalesce([self.seconds(E::END), self.now().timestamp().into()]);
        let ended = Func::least([ended.into(), until.into()]);
        // Of a clock that was put back, what runs would end before it began.
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

    /// An instant in seconds since 1970, whatever the session's time zone.
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

/// The width of a slot, and the list of `(slot, piece, from, until)`: for every slot those pieces that a row may touch which
/// begins in it and lasts no longer than it; for long rows all. So a row is compared with a few pieces, and not with all:
/// by equality, for which either database has an index or a hash.
fn slotted(pieces: &[TimeBucket], from: i64, until: i64) -> (i64, Vec<ValueTuple>) {
    let number = Ord::max(i64::try_from(pieces.len()).unwrap_or(i64::MAX), 1);
    let width = Ord::max((until - from + number - 1) / number, 1);
    let row = |slot: i64, place: usize, piece: &TimeBucket| {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        ValueTuple::Many([slot, place, piece.from, piece.until].map(Value::from).to_vec())
    };
    let all = pieces.iter().enumerate().map(|(place, piece)| row(LONG, place, piece));
    let near = (0..number).flat_map(|slot| {
        let (begin, reach) = (from + slot * width, from + (slot + 2) * width);
        let touched =
            pieces.iter().enumerate().filter(move |(_, piece)| piece.from <= reach && piece.until > begin);
        touched.map(move |(place, piece)| row(slot, place, piece))
    });
    (width, all.chain(near).collect())
}

//! The text in which the names of a user are searched.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, FromQueryResult, sea_query::Table},
};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::column::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "users";
const COLUMN: &str = "search_key";
/// How many users are read at a time.
const BATCH: u64 = 500;

#[derive(FromQueryResult)]
struct Names {
    id: uuid::Uuid,
    email_canonical: String,
    username_canonical: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

impl Names {
    fn search_key(&self) -> String {
        let name = [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str);
        let name = name.collect::<Vec<_>>().join(" ");
        let lines = [&*self.email_canonical, self.username_canonical.as_deref().unwrap_or_default(), &name];
        let lower = lines.join("\n").nfkc().collect::<String>().to_lowercase();
        lower.nfkd().filter(|c| !is_combining_mark(*c)).nfkc().collect()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        // Users that an older program adds meanwhile have none. Their names are found after the next change.
        let column = text(COLUMN).optional().definition(TABLE, manager.get_database_backend());
        manager.alter_table(Table::alter().table(TABLE).add_column(column).to_owned()).await?;
        loop {
            let mut batch = Query::select();
            batch
                .columns(["id", "email_canonical", "username_canonical", "first_name", "last_name"])
                .from(TABLE)
                .and_where(Expr::col(COLUMN).is_null())
                .limit(BATCH);
            let users = Names::find_by_statement(manager.get_database_backend().build(&batch));
            let users = users.all(connection).await?;
            if users.is_empty() {
                return Ok(());
            }
            for user in users {
                let mut update = Query::update();
                update.table(TABLE).value(COLUMN, user.search_key()).and_where(Expr::col("id").eq(user.id));
                connection.execute(&update).await?;
            }
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(TABLE).drop_column(COLUMN).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

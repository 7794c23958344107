//! The schema goes up and down, with one process and with several, on both databases.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod postgres;
mod test_database;

use insula_migrations::{Error, down, fresh, pending, status, up};
use test_database::TestDatabase;

/// Declares each test for both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $name() {
                let database = super::TestDatabase::sqlite();
                super::$name(&database).await;
                database.remove().await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() {
                if let Some(database) = super::TestDatabase::postgres().await {
                    super::$name(&database).await;
                    database.remove().await;
                }
            })+
        }
    };
}

on_both!(
    up_and_down_and_up_leave_the_same_schema,
    down_reverts_the_number_of_steps,
    five_concurrent_runs_apply_each_migration_once,
    status_changes_nothing,
    a_failed_migration_is_rolled_back,
    fresh_recreates_all_tables_without_rows,
    a_newer_schema_counts_as_up_to_date_but_is_not_reverted,
    users_of_earlier_versions_are_found_by_name,
);

async fn names(url: &str) -> Vec<String> {
    status(url).await.unwrap().into_iter().map(|(name, _)| name).collect()
}

async fn up_and_down_and_up_leave_the_same_schema(database: &TestDatabase) {
    let url = database.url();
    let names = names(&url).await;
    assert_eq!(up(&url, None).await.unwrap(), names);
    let first = database.schema().await;
    assert_eq!(up(&url, None).await.unwrap(), Vec::<String>::new(), "a second up applies nothing");

    let reverted = down(&url, u32::MAX).await.unwrap();
    assert!(reverted.iter().eq(names.iter().rev()), "{reverted:?}");
    assert_eq!(database.tables().await, Vec::<String>::new());

    assert_eq!(up(&url, None).await.unwrap(), names);
    assert_eq!(database.schema().await, first);
    assert!(first.len() > database.tables().await.len(), "the schema is not empty");
}

async fn down_reverts_the_number_of_steps(database: &TestDatabase) {
    let url = database.url();
    assert_eq!(down(&url, 1).await.unwrap(), Vec::<String>::new());
    let names = up(&url, None).await.unwrap();
    let last = names.last().unwrap();
    assert_eq!(&down(&url, 1).await.unwrap(), std::slice::from_ref(last));
    assert_eq!(status(&url).await.unwrap().last().unwrap(), &(last.clone(), false));
    assert!(pending(&url).await.unwrap());
    assert_eq!(&up(&url, None).await.unwrap(), std::slice::from_ref(last));
    assert!(!pending(&url).await.unwrap());
}

async fn users_of_earlier_versions_are_found_by_name(database: &TestDatabase) {
    let url = database.url();
    let names = up(&url, None).await.unwrap();
    let at = names.iter().position(|name| name == "m0029_user_search").unwrap();
    down(&url, u32::try_from(names.len() - at).unwrap()).await.unwrap();
    let (is_true, is_false) = database.booleans();
    let insert = |number: usize, names: &str| {
        let (id, email) = (database.id(number), format!("user{number}@example.com"));
        format!(
            "INSERT INTO users (id, email, email_canonical, username, username_canonical, first_name, last_name,
               is_active, is_superuser, locale, timezone, week_start, version, created_at, updated_at)
             VALUES ({id}, '{email}', '{email}', {names}, {is_true}, {is_false}, 'en', 'UTC', 'monday', 1,
               '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')"
        )
    };
    database.execute(&insert(1, "'LeÏla', 'leïla', 'Leïla', 'ÅNGSTRÖM'")).await.unwrap();
    // More than are read at a time.
    for number in 2..=501 {
        database.execute(&insert(number, "NULL, NULL, NULL, NULL")).await.unwrap();
    }
    up(&url, None).await.unwrap();
    let keys = database.lines("SELECT coalesce(search_key, '-') FROM users ORDER BY id").await;
    assert_eq!(keys.len(), 501);
    assert_eq!((&*keys[0], &*keys[1]), ("user1@example.com\nleila\nleila angstrom", "user2@example.com\n\n"));
    assert!(!keys.contains(&"-".to_owned()));
}

async fn five_concurrent_runs_apply_each_migration_once(database: &TestDatabase) {
    let url = database.url();
    let (a, b, c, d, e) =
        tokio::join!(up(&url, None), up(&url, None), up(&url, None), up(&url, None), up(&url, None));
    let mut outcomes = [a, b, c, d, e].map(Result::unwrap);
    outcomes.sort();
    let names = names(&url).await;
    assert_eq!(outcomes, [vec![], vec![], vec![], vec![], names.clone()]);
    assert_eq!(database.lines("SELECT version FROM seaql_migrations ORDER BY version").await, names);
}

async fn status_changes_nothing(database: &TestDatabase) {
    let url = database.url();
    assert!(status(&url).await.unwrap().iter().all(|(_, applied)| !applied));
    match database {
        TestDatabase::Sqlite { folder } => {
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "status creates no file");
        }
        TestDatabase::Postgres { .. } => {
            let tables = database
                .lines("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
                .await;
            assert_eq!(tables, Vec::<String>::new());
        }
    }
    up(&url, None).await.unwrap();
    let after = status(&url).await.unwrap();
    assert!(after.iter().all(|(_, applied)| *applied), "{after:?}");
    if let TestDatabase::Sqlite { folder } = database {
        let files = folder.path().join("data").read_dir().unwrap().count();
        assert_eq!(files, 2, "the database and its lock, no other files");
    }
}

async fn a_failed_migration_is_rolled_back(database: &TestDatabase) {
    let url = database.url();
    // The second table of m0002 already exists.
    up(&url, None).await.unwrap();
    down(&url, u32::MAX).await.unwrap();
    database.execute("CREATE TABLE credentials (id integer)").await.unwrap();
    assert!(matches!(up(&url, None).await, Err(Error::Database(_))));
    assert_eq!(database.tables().await, ["credentials"], "the first table of m0002 was undone");
    let applied: Vec<_> = status(&url).await.unwrap().into_iter().filter(|(_, applied)| *applied).collect();
    assert_eq!(applied, [("m0001_database_roles".to_owned(), true)]);

    database.execute("DROP TABLE credentials").await.unwrap();
    assert_eq!(up(&url, None).await.unwrap()[0], "m0002_users");
}

async fn fresh_recreates_all_tables_without_rows(database: &TestDatabase) {
    let url = database.url();
    let names = fresh(&url, None).await.unwrap();
    let first = database.schema().await;
    database.execute("CREATE TABLE other_owners_table (id integer)").await.unwrap();
    let organization = "INSERT INTO organizations (id, slug, name, status, kind, version, created_at, updated_at)
        VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 'Acme', 'active', 'team', 1, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')";
    match database {
        TestDatabase::Sqlite { .. } => database.execute(organization).await.unwrap(),
        TestDatabase::Postgres { .. } => {
            let [app, _] = database.roles().await;
            let scope = format!("SET ROLE {app}; SET insula.org = '00000000-0000-0000-0000-000000000001'");
            database.execute(&format!("{scope}; {organization}")).await.unwrap();
        }
    }
    assert_eq!(fresh(&url, None).await.unwrap(), names);
    let count = match database {
        TestDatabase::Sqlite { .. } => "SELECT CAST(count(*) AS text) FROM organizations",
        TestDatabase::Postgres { .. } => {
            database.execute("DROP TABLE other_owners_table").await.unwrap();
            database.execute("ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY").await.unwrap();
            "SELECT count(*)::text FROM organizations"
        }
    };
    assert_eq!(database.lines(count).await, ["0"]);
    if let TestDatabase::Postgres { .. } = database {
        database.execute("ALTER TABLE organizations FORCE ROW LEVEL SECURITY").await.unwrap();
    }
    assert_eq!(database.schema().await, first);
}

async fn a_newer_schema_counts_as_up_to_date_but_is_not_reverted(database: &TestDatabase) {
    let url = database.url();
    up(&url, None).await.unwrap();
    database.execute("INSERT INTO seaql_migrations VALUES ('m9999_future', 0)").await.unwrap();
    assert_eq!(status(&url).await.unwrap().last().unwrap(), &("m9999_future".to_owned(), true));
    assert!(!pending(&url).await.unwrap());
    assert_eq!(up(&url, None).await.unwrap(), Vec::<String>::new());
    assert!(matches!(down(&url, 1).await, Err(Error::Database(_))));
}

#[tokio::test]
async fn every_form_of_a_sqlite_url_creates_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    for (number, url) in
        ["sqlite:PATH", "sqlite://PATH", "sqlite://PATH?mode=rwc", "sqlite:PATH?mode=rw"].iter().enumerate()
    {
        let file = format!("{path}/{number}/insula.db");
        assert!(!up(&url.replace("PATH", &file), None).await.unwrap().is_empty());
        let journal: String = {
            use sqlx::Connection;
            let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite:{file}")).await.unwrap();
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap()
        };
        assert_eq!(journal, "wal");
    }
}

#[tokio::test]
async fn urls_without_a_persistent_database_are_rejected() {
    for url in ["", "mysql://h/d", "sqlite::memory:", "sqlite://?mode=memory", "sqlite:", "insula.db"] {
        assert!(matches!(up(url, None).await, Err(Error::Url)), "{url}");
    }
}

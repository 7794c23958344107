//! The schema goes forward and back, alone and in company, on both databases.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod home;
mod postgres;

use home::Home;
use insula_migrations::{Error, down, fresh, pending, status, up};

/// Declares each test for both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $name() {
                let home = super::Home::sqlite();
                super::$name(&home).await;
                home.leave().await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() {
                if let Some(home) = super::Home::postgres().await {
                    super::$name(&home).await;
                    home.leave().await;
                }
            })+
        }
    };
}

on_both!(
    up_and_down_and_up_leave_the_same_schema,
    down_goes_back_as_many_steps_as_told,
    five_at_once_apply_everything_exactly_once,
    status_only_looks,
    a_failing_migration_leaves_nothing_half_done,
    fresh_leaves_no_rows_and_all_tables,
    a_newer_schema_counts_as_up_to_date_but_is_not_reverted,
);

async fn names(url: &str) -> Vec<String> {
    status(url).await.unwrap().into_iter().map(|(name, _)| name).collect()
}

async fn up_and_down_and_up_leave_the_same_schema(home: &Home) {
    let url = home.url();
    let names = names(&url).await;
    assert_eq!(up(&url, None).await.unwrap(), names);
    let first = home.schema().await;
    assert_eq!(up(&url, None).await.unwrap(), Vec::<String>::new(), "a second up applies nothing");

    let reverted = down(&url, u32::MAX).await.unwrap();
    assert!(reverted.iter().eq(names.iter().rev()), "{reverted:?}");
    assert_eq!(home.tables().await, Vec::<String>::new());

    assert_eq!(up(&url, None).await.unwrap(), names);
    assert_eq!(home.schema().await, first);
    assert!(first.len() > home.tables().await.len(), "the comparison compares something");
}

async fn down_goes_back_as_many_steps_as_told(home: &Home) {
    let url = home.url();
    assert_eq!(down(&url, 1).await.unwrap(), Vec::<String>::new());
    let names = up(&url, None).await.unwrap();
    let last = names.last().unwrap();
    assert_eq!(&down(&url, 1).await.unwrap(), std::slice::from_ref(last));
    assert_eq!(status(&url).await.unwrap().last().unwrap(), &(last.clone(), false));
    assert!(pending(&url).await.unwrap());
    assert_eq!(&up(&url, None).await.unwrap(), std::slice::from_ref(last));
    assert!(!pending(&url).await.unwrap());
}

async fn five_at_once_apply_everything_exactly_once(home: &Home) {
    let url = home.url();
    let (a, b, c, d, e) =
        tokio::join!(up(&url, None), up(&url, None), up(&url, None), up(&url, None), up(&url, None));
    let mut outcomes = [a, b, c, d, e].map(Result::unwrap);
    outcomes.sort();
    let names = names(&url).await;
    assert_eq!(outcomes, [vec![], vec![], vec![], vec![], names.clone()]);
    assert_eq!(home.lines("SELECT version FROM seaql_migrations ORDER BY version").await, names);
}

async fn status_only_looks(home: &Home) {
    let url = home.url();
    assert!(status(&url).await.unwrap().iter().all(|(_, applied)| !applied));
    match home {
        Home::Sqlite { folder } => {
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing was made");
        }
        Home::Postgres { .. } => {
            let made = home
                .lines("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
                .await;
            assert_eq!(made, Vec::<String>::new());
        }
    }
    up(&url, None).await.unwrap();
    let after = status(&url).await.unwrap();
    assert!(after.iter().all(|(_, applied)| *applied), "{after:?}");
    if let Home::Sqlite { folder } = home {
        let files = folder.path().join("data").read_dir().unwrap().count();
        assert_eq!(files, 2, "the database and its lock, no leftovers of a look");
    }
}

async fn a_failing_migration_leaves_nothing_half_done(home: &Home) {
    let url = home.url();
    // The second table of m0002 is in the way.
    up(&url, None).await.unwrap();
    down(&url, u32::MAX).await.unwrap();
    home.execute("CREATE TABLE credentials (id integer)").await.unwrap();
    assert!(matches!(up(&url, None).await, Err(Error::Database(_))));
    assert_eq!(home.tables().await, ["credentials"], "the first table of m0002 was undone");
    let applied: Vec<_> = status(&url).await.unwrap().into_iter().filter(|(_, applied)| *applied).collect();
    assert_eq!(applied, [("m0001_hats".to_owned(), true)]);

    home.execute("DROP TABLE credentials").await.unwrap();
    assert_eq!(up(&url, None).await.unwrap()[0], "m0002_users");
}

async fn fresh_leaves_no_rows_and_all_tables(home: &Home) {
    let url = home.url();
    let names = fresh(&url, None).await.unwrap();
    let first = home.schema().await;
    home.execute("CREATE TABLE of_somebody_else (id integer)").await.unwrap();
    let organization = "INSERT INTO organizations (id, slug, name, status, kind, version, created_at, updated_at)
        VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 'Acme', 'active', 'team', 1, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')";
    match home {
        Home::Sqlite { .. } => home.execute(organization).await.unwrap(),
        Home::Postgres { .. } => {
            let [app, _] = home.roles().await;
            let scope = format!("SET ROLE {app}; SET insula.org = '00000000-0000-0000-0000-000000000001'");
            home.execute(&format!("{scope}; {organization}")).await.unwrap();
        }
    }
    assert_eq!(fresh(&url, None).await.unwrap(), names);
    let count = match home {
        Home::Sqlite { .. } => "SELECT CAST(count(*) AS text) FROM organizations",
        Home::Postgres { .. } => {
            home.execute("DROP TABLE of_somebody_else").await.unwrap();
            home.execute("ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY").await.unwrap();
            "SELECT count(*)::text FROM organizations"
        }
    };
    assert_eq!(home.lines(count).await, ["0"]);
    if let Home::Postgres { .. } = home {
        home.execute("ALTER TABLE organizations FORCE ROW LEVEL SECURITY").await.unwrap();
    }
    assert_eq!(home.schema().await, first);
}

async fn a_newer_schema_counts_as_up_to_date_but_is_not_reverted(home: &Home) {
    let url = home.url();
    up(&url, None).await.unwrap();
    home.execute("INSERT INTO seaql_migrations VALUES ('m9999_future', 0)").await.unwrap();
    assert_eq!(status(&url).await.unwrap().last().unwrap(), &("m9999_future".to_owned(), true));
    assert!(!pending(&url).await.unwrap());
    assert_eq!(up(&url, None).await.unwrap(), Vec::<String>::new());
    assert!(matches!(down(&url, 1).await, Err(Error::Database(_))));
}

#[tokio::test]
async fn every_spelling_of_a_sqlite_url_makes_the_file() {
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
async fn urls_that_name_no_lasting_database_are_refused() {
    for url in ["", "mysql://h/d", "sqlite::memory:", "sqlite://?mode=memory", "sqlite:", "insula.db"] {
        assert!(matches!(up(url, None).await, Err(Error::Url)), "{url}");
    }
}

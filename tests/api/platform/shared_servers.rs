//! Several installations in one PostgreSQL cluster and on one Redis are independent.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use insula_tests::{PASSWORD, Server, TestDatabase, TestEnv, eventually, in_database, redis, setting};
use serde_json::json;

/// An installation with a login of its own, on PostgreSQL.
struct Installation {
    env: TestEnv,
    login: String,
    url: String,
}

impl Installation {
    /// `None` on SQLite. Each number makes another login.
    async fn new(number: u32) -> Option<Self> {
        let env = TestEnv::new().await;
        if !env.is_postgres() {
            return None;
        }
        let login = format!("neighbour_{}_{number}", std::process::id());
        let database = env.database().await;
        database.execute(&format!("CREATE ROLE {login} LOGIN NOINHERIT")).await;
        let (_, host) = env.database_url().split_once('@').unwrap();
        let url = format!("postgres://{login}@{host}");
        Some(Self { env, login, url })
    }

    async fn start(&self) -> Server {
        let start = Server::builder().test_env(&self.env).database_url(&self.url);
        start.env("INSULA_MIGRATION_DATABASE_URL", self.env.database_url()).start().await
    }

    fn database(&self) -> &str {
        self.env.database_url().rsplit('/').next().unwrap()
    }
}

/// What a login reads of the organizations in a database, by each of these roles.
async fn read_by(url: &str, roles: &[String]) -> Vec<Result<Vec<String>, String>> {
    let database = TestDatabase::connect(url).await;
    let mut read = vec![database.attempt(&["SELECT slug FROM organizations"]).await];
    for role in roles {
        read.push(
            database.attempt(&[&format!("SET LOCAL ROLE {role}"), "SELECT slug FROM organizations"]).await,
        );
    }
    read
}

#[tokio::test]
async fn two_installations_cannot_read_each_other() {
    let Some(first) = Installation::new(1).await else { return };
    let second = Installation::new(2).await.unwrap();
    let (a, b) = (first.start().await, second.start().await);
    a.client().register("ada@example.com").await.create_organization("ours").await;
    b.client().register("eve@example.com").await.create_organization("theirs").await;
    let (ours, theirs) =
        (first.env.database().await.roles().await, second.env.database().await.roles().await);
    assert!(ours.iter().all(|role| !theirs.contains(role)), "{ours:?} {theirs:?}");
    let own = read_by(&first.url, &ours).await;
    assert!(
        own[0].is_err()
            && own[1] == Ok(vec![])
            && own[2].as_ref().is_ok_and(|rows| rows.contains(&"ours".into())),
        "{own:?}"
    );
    for (url, database) in [(&first.url, second.database()), (&second.url, first.database())] {
        let roles = [&ours[..], &theirs[..]].concat();
        for read in read_by(&in_database(url, database), &roles).await {
            assert!(read.as_ref().is_err_and(|refusal| refusal.contains("permission denied")), "{read:?}");
        }
    }
    for server in [a, b] {
        let log = String::from_utf8(server.terminate().await.stderr).unwrap();
        // Not the words of the query, which is in the log itself when it is slow.
        let warned = |login: &str| log.contains(&format!("the login {login} may also use"));
        assert!(
            !log.contains("uses the role insula_") && !warned(&first.login) && !warned(&second.login),
            "{log}"
        );
    }
}

/// What a database looks like that an earlier version made: its policies and grants name roles that all had in common.
const COMMON: &str = "
    DO $$ DECLARE p record; g record; BEGIN
        FOR p IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'public' LOOP
            EXECUTE format('ALTER POLICY %I ON %I TO %I', p.policyname, p.tablename,
                CASE p.policyname WHEN 'system_read' THEN 'insula_system' ELSE 'insula_app' END);
        END LOOP;
        FOR g IN SELECT c.relname, a.privilege_type, r.rolname FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
                 JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname ~ '^insula_(app|system)_' LOOP
            EXECUTE format('GRANT %s ON %I TO %I', g.privilege_type, g.relname, substring(g.rolname FROM '^insula_[a-z]+'));
            EXECUTE format('REVOKE ALL ON %I FROM %I', g.relname, g.rolname);
        END LOOP;
        GRANT UPDATE (seq, prev_hash, hash) ON audit_events TO insula_app;
    END $$";

#[tokio::test]
async fn installations_with_shared_roles_get_separate_ones() {
    let Some(first) = Installation::new(3).await else { return };
    let second = Installation::new(4).await.unwrap();
    let admin = TestDatabase::connect(&setting("INSULA_TEST_POSTGRES_ADMIN_URL").unwrap()).await;
    for role in ["insula_app", "insula_system"] {
        admin.execute(&format!("CREATE ROLE {role} NOLOGIN")).await;
        // The login can grant the role, like its creator.
        admin.execute(&format!("GRANT {role} TO insula WITH ADMIN OPTION")).await;
    }
    for (one, email) in [(&first, "ada@example.com"), (&second, "eve@example.com")] {
        let server = one.start().await;
        server.client().register(email).await.create_organization("acme").await;
        server.terminate().await;
        one.env.database().await.execute(COMMON).await;
        admin.execute(&format!("GRANT insula_app, insula_system TO {}", one.login)).await;
    }
    let envs = |one: &Installation| {
        [
            ("DATABASE_URL", one.url.clone()),
            ("INSULA_MIGRATION_DATABASE_URL", one.env.database_url().to_owned()),
        ]
    };
    let migrate = |one: &Installation, what: &str| {
        let envs = envs(one);
        let envs: Vec<_> = envs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        one.env.insula(&["migrate", what], &envs)
    };
    for one in [&first, &second] {
        assert_eq!(one.env.database().await.roles().await, ["insula_app", "insula_system"]);
        let status = migrate(one, "status");
        assert_eq!(status.status.code(), Some(1), "{status:?}");
        let printed = String::from_utf8(status.stdout).unwrap();
        assert!(
            printed.contains("may be used by insula_app, which is not of this installation"),
            "{printed}"
        );
    }
    // One that was not migrated serves no requests; the other one does.
    assert!(migrate(&first, "up").status.success());
    let a = first.start().await;
    a.client().log_in("ada@example.com", PASSWORD).await.get("/api/v1/organizations/acme").await.expect(200);
    let warned = || a.log().contains("may also use") && a.log().contains("REVOKE insula_app FROM");
    eventually("it warns of what its login may elsewhere", async || warned()).await;
    assert!(migrate(&second, "up").status.success());
    let b = second.start().await;
    b.client().log_in("eve@example.com", PASSWORD).await.get("/api/v1/organizations/acme").await.expect(200);
    let common = ["insula_app".to_owned(), "insula_system".to_owned()];
    for (url, database) in [(&first.url, second.database()), (&second.url, first.database())] {
        assert!(read_by(&in_database(url, database), &common).await.iter().all(Result::is_err));
    }
    assert_eq!(
        admin.scalar("SELECT count(*) FROM pg_roles WHERE rolname IN ('insula_app', 'insula_system')").await,
        0,
        "nothing needs them any more"
    );
}

#[tokio::test]
async fn a_copy_of_a_database_gets_roles_of_its_own_and_a_renamed_one_keeps_its_own() {
    let Some(first) = Installation::new(5).await else { return };
    first.start().await.terminate().await;
    let roles = first.env.database().await.roles().await;
    let admin = TestDatabase::connect(&setting("INSULA_TEST_POSTGRES_ADMIN_URL").unwrap()).await;
    let (name, copy) = (first.database(), format!("{}_copy", first.database()));
    admin.execute(&format!("CREATE DATABASE {copy} TEMPLATE {name}")).await;
    let server = first.start().await;
    let warned = || server.log().contains(&copy) && server.log().contains("run `insula migrate up` there");
    eventually("it warns that the copy uses its roles", async || warned()).await;

    let url = in_database(first.env.database_url(), &copy);
    let up = first.env.insula(&["migrate", "up"], &[("DATABASE_URL", &url)]);
    assert!(up.status.success(), "{up:?}");
    let own =
        TestDatabase::connect(&in_database(&setting("INSULA_TEST_POSTGRES_ADMIN_URL").unwrap(), &copy)).await;
    let copied = own.roles().await;
    assert!(roles.iter().all(|role| !copied.contains(role)), "{roles:?} {copied:?}");
    own.close().await;
    assert_eq!(first.env.database().await.roles().await, roles);

    let moved = format!("{copy}_moved");
    admin.execute(&format!("ALTER DATABASE {copy} RENAME TO {moved}")).await;
    let url = in_database(first.env.database_url(), &moved);
    let up = first.env.insula(&["migrate", "up"], &[("DATABASE_URL", &url)]);
    assert_eq!(String::from_utf8(up.stdout).unwrap(), "up to date\n");
    admin.execute(&format!("DROP DATABASE {moved} WITH (FORCE)")).await;
    for role in copied {
        admin.execute(&format!("DROP ROLE {role}")).await;
    }
}

#[tokio::test]
async fn a_shared_redis_counts_separately_for_each_installation() {
    let Some(redis) = redis() else { return };
    let url = format!("redis://{redis}");
    // However slow Redis is: otherwise each server would count for itself.
    let settings = [("REDIS_URL", &*url), ("INSULA_LIMIT_LOG_IN", "1/h"), ("INSULA_REDIS_TIMEOUT", "30")];
    let start =
        || settings.iter().fold(Server::builder(), |server, (name, value)| server.env(name, value)).start();
    let (a, b) = (start().await, start().await);
    let wrong = json!({ "email": "ada@example.com", "password": "a wrong guess" });
    for server in [&a, &b] {
        server.client().post("/api/v1/auth/login", wrong.clone()).await.problem(401, "INVALID_CREDENTIALS");
        server.client().post("/api/v1/auth/login", wrong.clone()).await.problem(429, "RATE_LIMITED");
    }
    let names = |command: &str| {
        let mut stream = TcpStream::connect(&redis).unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().filter(|line| line.starts_with("insula:")).map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("each speaks on a channel of its own", async || {
        names("PUBSUB CHANNELS *").iter().filter(|name| name.ends_with(":touches")).count() >= 2
    })
    .await;
    let all = [names("KEYS *"), names("PUBSUB CHANNELS *")].concat();
    for name in &all {
        assert!(
            name.split(':').count() >= 3 && name.split(':').nth(1).is_some_and(|id| id.len() >= 12),
            "{all:?}"
        );
    }
    let counted = all.iter().filter(|name| name.contains(":limit:log_in:"));
    assert!(counted.count() >= 2, "{all:?}");
}

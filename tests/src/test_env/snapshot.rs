//! A database and a folder after a command, made once per process and copied for each test.

use std::{ffi::OsString, fs::Permissions, os::unix::fs::PermissionsExt, path::Path};

use crate::{TestDatabase, TestEnv};

/// Gives a copied PostgreSQL database its own roles `$app` and `$system`, and makes `$login` a member. The migrations would
/// do that too, but would create every policy and grant again, which takes longer than the rest of a server's start.
const CREATE_OWN_ROLES: &str = "DO $do$
DECLARE
    pair text[];
    old pg_roles;
    new pg_roles;
BEGIN
    FOREACH pair SLICE 1 IN ARRAY ARRAY[['own_organization', '$app'], ['system_read', '$system']] LOOP
        SELECT r.* INTO STRICT old FROM pg_roles r JOIN pg_policy p ON p.polroles = ARRAY[r.oid]
            JOIN pg_class c ON c.oid = p.polrelid WHERE c.relname = 'organizations' AND p.polname = pair[1];
        EXECUTE format('CREATE ROLE %I NOLOGIN', pair[2]);
        EXECUTE format('GRANT %I TO %I', pair[2], '$login');
        SELECT r.* INTO STRICT new FROM pg_roles r WHERE rolname = pair[2];
        UPDATE pg_policy SET polroles = array_replace(polroles, old.oid, new.oid);
        UPDATE pg_class SET relacl = replace(relacl::text, old.rolname, new.rolname)::aclitem[]
            WHERE relacl::text LIKE '%' || old.rolname || '%';
        UPDATE pg_attribute SET attacl = replace(attacl::text, old.rolname, new.rolname)::aclitem[]
            WHERE attacl IS NOT NULL AND attacl::text LIKE '%' || old.rolname || '%';
        UPDATE pg_namespace SET nspacl = replace(nspacl::text, old.rolname, new.rolname)::aclitem[]
            WHERE nspacl::text LIKE '%' || old.rolname || '%';
        UPDATE pg_shdepend SET refobjid = new.oid
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND refclassid = 'pg_authid'::regclass AND refobjid = old.oid;
    END LOOP;
END $do$";

/// The files and the database after a command in an empty environment.
pub(crate) struct EnvSnapshot {
    /// Names and contents of the files.
    files: Vec<(OsString, Vec<u8>)>,
    /// The name of the PostgreSQL database. It has no connections, as `CREATE DATABASE ... TEMPLATE` requires.
    pub(crate) postgres_database: Option<String>,
}

impl EnvSnapshot {
    /// Runs the command in a new environment.
    pub(crate) async fn of_command(command: &[&str]) -> Self {
        let env = TestEnv::new().await;
        run(&env, command);
        let file = |name: OsString| {
            let content = std::fs::read(env.folder().join(&name)).expect("a file of the program's");
            (name, content)
        };
        let folder = env.folder().read_dir().expect("the folder");
        let files = folder.map(|entry| file(entry.expect("an entry").file_name())).collect();
        let postgres_database = env.is_postgres().then(|| {
            let name = env.database_url().rsplit('/').next().expect("a name").to_owned();
            std::fs::remove_dir_all(env.folder()).expect("the folder is ours");
            // Dropping it would drop the database.
            std::mem::forget(env.clone());
            name
        });
        Self { files, postgres_database }
    }

    /// Writes its files into a folder.
    pub(crate) fn write(&self, folder: &Path) {
        for (name, content) in &self.files {
            let file = folder.join(name);
            let written = std::fs::write(&file, content)
                // The program refuses secrets that others can read.
                .and_then(|()| std::fs::set_permissions(&file, Permissions::from_mode(0o600)));
            written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }
}

/// Runs a command in this environment; panics when it fails.
pub(crate) fn run(env: &TestEnv, command: &[&str]) {
    let output = env.insula(command, &[]);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Creates roles for the copy at `url` (a superuser's URL). `number` makes their names unique.
pub(crate) async fn create_own_roles(url: &str, login: &str, number: u64) {
    let [app, system] = ["app", "system"].map(|kind| format!("insula_{kind}_{number:012x}"));
    let sql = CREATE_OWN_ROLES.replace("$app", &app).replace("$system", &system).replace("$login", login);
    let database = TestDatabase::connect(url).await;
    database.execute(&sql).await;
    database.close().await;
}

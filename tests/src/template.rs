//! A database as the migrations leave it, made once for all tests of a process, and copied for each that needs a server.

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use crate::{Vault, Workplace};

/// Gives a copied PostgreSQL database the roles `$app` and `$system` of its own in place of those it names, as the
/// migrations would: they would rather make each policy anew and grant every right again, which takes longer than all else
/// that a server does at its start. `$login` may take them on.
const OWN_ROLES: &str = "DO $do$
DECLARE
    pair text[];
    old pg_roles;
    new pg_roles;
BEGIN
    FOREACH pair SLICE 1 IN ARRAY ARRAY[['own_organization', '$app'], ['sweep', '$system']] LOOP
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

/// A SQLite file with today's schema and nothing in it.
pub(crate) async fn sqlite() -> &'static [u8] {
    static EMPTY: OnceCell<Vec<u8>> = OnceCell::const_new();
    let migrated = || async {
        let workplace = Workplace::on_sqlite();
        migrate(&workplace);
        std::fs::read(file(workplace.folder())).expect("the database")
    };
    EMPTY.get_or_init(migrated).await
}

/// The name of a PostgreSQL database with today's schema and nothing in it, in the cluster of the tests. Nobody is connected
/// with it, as those who copy it need it. Goes with the cluster.
pub(crate) async fn postgres() -> &'static str {
    static EMPTY: OnceCell<(Workplace, String)> = OnceCell::const_new();
    let migrated = || async {
        let workplace = Workplace::new().await;
        migrate(&workplace);
        let name = workplace.database_url().rsplit('/').next().expect("a name").to_owned();
        (workplace, name)
    };
    &EMPTY.get_or_init(migrated).await.1
}

/// Gives the copy that `url` names, for a superuser, roles of its own, which nobody has in whose names this number stands.
pub(crate) async fn own_roles(url: &str, login: &str, number: u64) {
    let [app, system] = ["app", "system"].map(|kind| format!("insula_{kind}_{number:012x}"));
    let sql = OWN_ROLES.replace("$app", &app).replace("$system", &system).replace("$login", login);
    let vault = Vault::connect(url).await;
    vault.execute(&sql).await;
    vault.close().await;
}

fn migrate(workplace: &Workplace) {
    let output = workplace.insula(&["migrate", "up"], &[]);
    assert!(output.status.success(), "migrate up: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where a workplace has its SQLite database.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("insula.db")
}

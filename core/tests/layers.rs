//! Two promises that the compiler cannot keep, kept by reading the sources: which module may look where, and which
//! crate is named in which file.

#![expect(clippy::unwrap_used, reason = "tests")]

mod sources;

use std::{fs, path::Path};

use sources::{Source, root, sources};

/// Is `word` in `text` as a whole path segment, as in `word::` or `use word;`?
fn names(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + word.len()..];
        let whole = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == ':');
        whole && (after.starts_with("::") || after.starts_with(';'))
    })
}

/// Every path of this crate that a source names: `crate::x::y`, also inside `use crate::{…}`, as its segments.
fn crate_paths(text: &str) -> Vec<Vec<String>> {
    /// Reads the rest of a path or use tree; returns what follows it.
    fn read<'a>(mut rest: &'a str, prefix: &[String], out: &mut Vec<Vec<String>>) -> &'a str {
        let mut path = prefix.to_vec();
        loop {
            rest = rest.trim_start();
            if let Some(mut inner) = rest.strip_prefix('{') {
                loop {
                    inner = inner.trim_start().trim_start_matches(',').trim_start();
                    if let Some(after) = inner.strip_prefix('}') {
                        return after;
                    }
                    let before = inner.len();
                    inner = read(inner, &path, out);
                    if inner.len() == before {
                        return inner;
                    }
                }
            }
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if end > 0 {
                path.push(rest[..end].to_owned());
            }
            rest = rest[end..].trim_start_matches('*');
            match rest.strip_prefix("::") {
                Some(next)
                    if next
                        .starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '{' || c == '*') =>
                {
                    rest = next;
                }
                _ => {
                    out.push(path);
                    return rest.strip_prefix(" as ").map_or(rest, |alias| {
                        alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
                    });
                }
            }
        }
    }
    let mut out = Vec::new();
    for (at, found) in text.match_indices("crate::") {
        read(&text[at + found.len()..], &[], &mut out);
    }
    out
}

#[test]
fn paths_are_found_in_use_trees() {
    let text = "use crate::{a::b, c::{self, d as x, e::*}, f};\nlet y = crate::g::h(crate::i);";
    let found: Vec<_> = crate_paths(text).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::b", "c::self", "c::d", "c::e", "f", "g::h", "i"]);
}

/// The modules that a `lib.rs` or `mod.rs` declares, in its order.
fn declared(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = |line: &str| {
        let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    text.lines().filter_map(name).collect()
}

#[test]
fn modules_use_only_those_above_them() {
    // Folders of `core` are ordered, and the modules in each of them; the other crates have one level.
    for (krate, depth, least) in [("core", 2, 500), ("api", 1, 150), ("worker", 1, 20), ("migrations", 1, 80)]
    {
        let src = root().join(krate).join("src");
        let mut order: Vec<Vec<String>> = Vec::new();
        for folder in declared(&src.join("lib.rs")) {
            let modules = if depth == 2 { declared(&src.join(&folder).join("mod.rs")) } else { Vec::new() };
            order.push(vec![folder.clone()]);
            order.extend(modules.into_iter().map(|module| vec![folder.clone(), module]));
        }
        let position = |path: &[String]| {
            (1..=depth.min(path.len()))
                .rev()
                .find_map(|length| order.iter().position(|at| at[..] == path[..length]))
        };
        let (mut uses, mut faults) = (0, Vec::new());
        for source in sources(&format!("{krate}/src")) {
            let inner =
                source.path.trim_start_matches(krate).trim_start_matches("/src/").trim_end_matches(".rs");
            let own: Vec<String> =
                inner.split('/').filter(|part| *part != "mod").map(str::to_owned).collect();
            let Some(at) = position(&own) else { continue };
            // What only tests use may look anywhere.
            if ["/tests.rs", "/test_db.rs"].iter().any(|end| source.path.ends_with(end))
                || inner.contains("/tests/")
            {
                continue;
            }
            for used in crate_paths(&source.text) {
                uses += 1;
                let below = position(&used).is_some_and(|to| to > at && order[to] != own[..1]);
                if below {
                    faults.push(format!("{} uses `{}`, which is below it", source.path, used.join("::")));
                }
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
        assert!(uses > least, "{krate}: the uses were found: {uses}");
    }
}

#[test]
fn each_crate_is_named_in_its_own_room_alone() {
    // (what, where it may be named, where it is looked for)
    let rooms: &[(&str, &[&str], &[&str])] = &[
        (
            "sqlx",
            &["core/src/storage/db/", "tests/src/database.rs", "tests/src/"],
            &["core/src", "api/src", "worker/src", "tests"],
        ),
        ("sea_query_sqlx", &["core/src/storage/db/"], &["core/src", "api/src", "worker/src"]),
        (
            "redis",
            &["core/src/runtime/cluster/", "worker/src/redis_wakeup.rs"],
            &["core/src", "api/src", "worker/src"],
        ),
        ("sea_orm", &["core/src/"], &["core/src", "api/src", "worker/src", "tests"]),
        ("sea_orm_migration", &["migrations/"], &["core/src", "api/src", "worker/src", "tests"]),
        ("poem", &["api/src/"], &["core/src", "worker/src", "migrations/src"]),
        ("poem_openapi", &["api/src/"], &["core/src", "worker/src", "migrations/src"]),
        ("insula_core", &["api/src/", "worker/src/"], &["migrations/src", "tests/src", "tests/api"]),
        ("insula_worker", &["api/src/main.rs", "api/src/cli/"], &["api/src", "core/src"]),
        (
            "insula_migrations",
            &["api/src/main.rs", "api/src/cli/", "core/src/storage/db/test_db.rs"],
            &["api/src", "core/src", "worker/src"],
        ),
        ("apalis", &["worker/src/executor/"], &["core/src", "api/src", "worker/src"]),
        ("apalis_core", &["worker/src/executor/"], &["core/src", "api/src", "worker/src"]),
        ("jsonwebtoken", &["core/src/identity/sessions/token"], &["core/src", "api/src", "worker/src"]),
        ("ed25519_dalek", &["core/src/storage/signing_keys/"], &["core/src", "api/src", "worker/src"]),
        ("aes_gcm", &["core/src/storage/signing_keys/"], &["core/src", "api/src", "worker/src"]),
        ("argon2", &["core/src/identity/credentials/password/"], &["core/src", "api/src", "worker/src"]),
        ("bcrypt", &["core/src/identity/credentials/password/"], &["core/src", "api/src", "worker/src"]),
        (
            "chrono_tz",
            &["core/src/base/text/locale.rs", "core/src/work/reports/calendar.rs"],
            &["core/src", "api/src", "worker/src"],
        ),
        ("lettre", &["worker/src/smtp/"], &["core/src", "api/src", "worker/src"]),
        ("minijinja", &["worker/src/mailer/templates/mod.rs"], &["core/src", "api/src", "worker/src"]),
        ("opentelemetry_sdk", &["core/src/runtime/telemetry/"], &["core/src", "api/src", "worker/src"]),
        ("opentelemetry_otlp", &["core/src/runtime/telemetry/otlp/"], &["core/src", "api/src", "worker/src"]),
        (
            "opentelemetry_appender_tracing",
            &["core/src/runtime/telemetry/otlp/"],
            &["core/src", "api/src", "worker/src"],
        ),
        ("logroller", &["core/src/runtime/telemetry/log_files.rs"], &["core/src", "api/src", "worker/src"]),
        ("dotenvy", &["core/src/runtime/config/"], &["core/src", "api/src", "worker/src"]),
    ];
    for (krate, rooms, folders) in rooms {
        for source in folders.iter().flat_map(|folder| sources(folder)) {
            let allowed = rooms.iter().any(|room| source.path.starts_with(room));
            assert!(allowed || !names(&source.text, krate), "{} names {krate}", source.path);
        }
    }
}

#[test]
fn nouns_build_no_queries_of_their_own() {
    // A subquery or raw SQL would not be scoped, and SQLite has no row-level security.
    const FORBIDDEN: &[&str] = &[
        "in_subquery",
        "Expr::exists",
        "Expr::cust",
        "from_raw_sql",
        "Statement::from",
        "on_conflict",
        "into_query",
        "QueryTrait",
        "ConnectionTrait",
        "find_also_related",
        "find_with_related",
        "LoaderTrait",
        "from_expr",
        "impl PartialModelTrait",
        "execute_unprepared",
        "AssertSqlSafe",
    ];
    for source in sources("core/src").iter().filter(|source| !source.path.starts_with("core/src/storage/db/"))
    {
        for word in FORBIDDEN {
            let is_used = source.text.match_indices(word).any(|(at, _)| {
                !source.text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            assert!(!is_used, "{} uses `{word}`", source.path);
        }
        // A select of its own runs only where somebody said why, there or where the unscoped unit of work was begun.
        let own_select = source.text.contains("Query::select()");
        assert!(
            !own_select
                || [".unscoped()", ".query_across_orgs(", "&Unscoped"]
                    .iter()
                    .any(|door| source.text.contains(door)),
            "{} builds a select",
            source.path
        );
    }
}

/// The one place that implements `TenantTable`; entity files call its macro.
const MACRO: &str = "core/src/storage/db/entity_macros.rs";

/// Where a purge forgets a table, the organization's parent row cannot be deleted, or something of it stays for ever.
#[test]
fn a_purge_knows_every_table_of_an_organization() {
    let purge = sources("core/src/lifecycle/accounts")
        .into_iter()
        .find(|source| source.path.ends_with("purge.rs"))
        .unwrap();
    let mut tables = 0;
    for source in sources("core/src")
        .iter()
        .filter(|source| source.text.contains("tenant_table!(") && source.path != MACRO)
    {
        let module = source.path.trim_start_matches("core/src/").trim_end_matches(".rs").replace('/', "::");
        let (_, module) = module.split_once("::").unwrap();
        let (noun, file) = module.rsplit_once("::").unwrap();
        let names = [format!("    {noun}::Entity,"), format!("    {noun}::{file}::Entity,")];
        // An audit log can only be added to, and proves itself.
        let is_known =
            ["audit", "audit_chain"].contains(&noun) || names.iter().any(|name| purge.text.contains(name));
        assert!(is_known, "core/src/lifecycle/accounts/purge.rs does not empty {module}");
        tables += 1;
    }
    assert!(tables >= 24, "{tables}");
}

/// The test above finds tables by the macro.
#[test]
fn only_the_macro_implements_tenant_table() {
    for source in sources("core/src") {
        let is_by_hand = source.text.contains("TenantTable for ");
        assert!(!is_by_hand || source.path == MACRO, "{} implements TenantTable by hand", source.path);
    }
}

#[test]
fn every_escape_is_counted_and_reasoned() {
    let mut escapes = Vec::new();
    // Unit tests may look anywhere.
    let is_guarded = |source: &&Source| {
        !source.path.starts_with("core/src/storage/db/") && !source.path.ends_with("/tests.rs")
    };
    for source in sources("core/src").iter().filter(is_guarded) {
        let lines: Vec<_> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            for door in [
                ".unscoped()",
                ".query_across_orgs(",
                ".enter_org(",
                "Authorized::from_lookup(",
                ".commit_unaudited()",
            ] {
                if line.contains(door) {
                    let near = lines[at.saturating_sub(6)..=at].join("\n");
                    let reasoned =
                        near.contains("clippy::disallowed_methods") && near.contains("reason = \"");
                    assert!(reasoned, "{}: `{}` says no reason", source.path, line.trim());
                    escapes.push(door);
                }
            }
        }
    }
    let count = |door: &str| escapes.iter().filter(|escape| **escape == door).count();
    // Change these numbers knowingly: each is a place where the types no longer guard the tenants.
    assert_eq!(
        [
            ".unscoped()",
            ".query_across_orgs(",
            ".enter_org(",
            "Authorized::from_lookup(",
            ".commit_unaudited()"
        ]
        .map(count),
        [33, 9, 22, 2, 13]
    );
}

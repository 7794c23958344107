//! Two promises that the compiler cannot keep, kept by reading the sources: which module may look where, and which
//! crate is named in which file.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

struct Source {
    /// From the workspace's root, such as `core/src/db/mod.rs`.
    path: String,
    /// Without its unit tests and comments.
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    fn walk(path: &Path, out: &mut Vec<Source>, root: &Path) {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out, root);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                let path = path.strip_prefix(root).unwrap().display().to_string();
                out.push(Source { path, text: code.collect::<Vec<_>>().join("\n") });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut out = Vec::new();
    walk(&root.join(folder), &mut out, root);
    assert!(!out.is_empty(), "{folder} has sources");
    out
}

/// Is `word` in `text` as a whole path segment, as in `word::` or `use word;`?
fn names(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + word.len()..];
        let whole = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == ':');
        whole && (after.starts_with("::") || after.starts_with(';'))
    })
}

/// The modules of this crate that a source uses: `crate::x`, also inside `use crate::{…}`.
fn modules_used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(inner) = rest.strip_prefix('{') else {
            used.push(
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned(),
            );
            continue;
        };
        let (mut depth, mut word, mut fresh) = (0, String::new(), true);
        for c in inner.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if depth == 0 && fresh && (c.is_alphanumeric() || c == '_') => word.push(c),
                _ if !word.is_empty() && fresh => fresh = false,
                _ => {}
            }
            if !fresh && !word.is_empty() {
                used.push(std::mem::take(&mut word));
            }
            if c == ',' && depth == 0 {
                used.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
        }
        used.extend((!word.is_empty()).then_some(word));
    }
    used
}

#[test]
fn modules_look_only_upward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lib = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let module = |line: &str| {
        Some(line.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    let order: Vec<String> = lib.lines().filter_map(module).collect();
    assert!(order.len() > 15, "lib.rs lists the modules");
    let mut looks = 0;
    for source in sources("core/src") {
        let own = source.path.trim_start_matches("core/src/").split(['/', '.']).next().unwrap_or_default();
        let Some(place) = order.iter().position(|module| module == own) else { continue };
        // What only tests use may look anywhere.
        if source.path.ends_with("/tests.rs") || source.path.ends_with("/sandbox.rs") {
            continue;
        }
        for used in modules_used(&source.text) {
            looks += 1;
            let below = order.iter().position(|module| *module == used).is_some_and(|at| at > place);
            assert!(!below, "{}: `{own}` looks down at `{used}`", source.path);
        }
    }
    assert!(looks > 50, "the uses were found");
}

#[test]
fn each_crate_is_named_in_its_own_room_alone() {
    // (what, where it may be named, where it is looked for)
    let rooms: &[(&str, &[&str], &[&str])] = &[
        (
            "sqlx",
            &["core/src/db/", "tests/src/vault.rs", "tests/src/"],
            &["core/src", "api/src", "worker/src", "tests"],
        ),
        ("sea_query_sqlx", &["core/src/db/"], &["core/src", "api/src", "worker/src"]),
        ("redis", &["core/src/cluster/", "worker/src/bell.rs"], &["core/src", "api/src", "worker/src"]),
        ("sea_orm", &["core/src/"], &["core/src", "api/src", "worker/src", "tests"]),
        ("sea_orm_migration", &["migrations/"], &["core/src", "api/src", "worker/src", "tests"]),
        ("poem", &["api/src/"], &["core/src", "worker/src", "migrations/src"]),
        ("poem_openapi", &["api/src/"], &["core/src", "worker/src", "migrations/src"]),
        ("insula_core", &["api/src/", "worker/src/"], &["migrations/src", "tests/src", "tests/api"]),
        ("insula_worker", &["api/src/main.rs", "api/src/cli/"], &["api/src", "core/src"]),
        (
            "insula_migrations",
            &["api/src/main.rs", "api/src/cli/", "core/src/db/sandbox.rs"],
            &["api/src", "core/src", "worker/src"],
        ),
        ("apalis", &["worker/src/queue.rs"], &["core/src", "api/src", "worker/src"]),
        ("apalis_core", &["worker/src/queue.rs"], &["core/src", "api/src", "worker/src"]),
        ("jsonwebtoken", &["core/src/sessions/token"], &["core/src", "api/src", "worker/src"]),
        ("ed25519_dalek", &["core/src/signing_keys/"], &["core/src", "api/src", "worker/src"]),
        ("aes_gcm", &["core/src/signing_keys/"], &["core/src", "api/src", "worker/src"]),
        ("argon2", &["core/src/credentials/password/"], &["core/src", "api/src", "worker/src"]),
        ("bcrypt", &["core/src/credentials/password/"], &["core/src", "api/src", "worker/src"]),
        (
            "chrono_tz",
            &["core/src/text/place.rs", "core/src/reports/calendar.rs"],
            &["core/src", "api/src", "worker/src"],
        ),
        ("lettre", &["worker/src/smtp/"], &["core/src", "api/src", "worker/src"]),
        ("minijinja", &["worker/src/mail/templates.rs"], &["core/src", "api/src", "worker/src"]),
        ("dotenvy", &["core/src/config/"], &["core/src", "api/src", "worker/src"]),
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
    // A subquery or raw SQL would not be scoped, and SQLite has no second wall.
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
    for source in sources("core/src").iter().filter(|source| !source.path.starts_with("core/src/db/")) {
        for word in FORBIDDEN {
            assert!(!source.text.contains(word), "{} uses `{word}`", source.path);
        }
        // A select of its own runs only where somebody said why, there or where the unscoped unit of work was begun.
        let own_select = source.text.contains("Query::select()");
        assert!(
            !own_select
                || [".unscoped()", ".across(", "&Unscoped"].iter().any(|door| source.text.contains(door)),
            "{} builds a select",
            source.path
        );
    }
}

/// Where a purge forgets a table, the organization's parent row cannot be deleted, or something of it stays for ever.
#[test]
fn a_purge_knows_every_table_of_an_organization() {
    let purge =
        sources("core/src/accounts").into_iter().find(|source| source.path.ends_with("purge.rs")).unwrap();
    let mut tables = 0;
    for source in
        sources("core/src").iter().filter(|source| source.text.contains("impl TenantTable for Entity"))
    {
        let module = source.path.trim_start_matches("core/src/").trim_end_matches(".rs").replace('/', "::");
        let (noun, file) = module.rsplit_once("::").unwrap();
        let names = [format!("    {noun}::Entity,"), format!("    {noun}::{file}::Entity,")];
        // An audit log can only be added to, and proves itself.
        let is_known =
            ["audit", "chains"].contains(&noun) || names.iter().any(|name| purge.text.contains(name));
        assert!(is_known, "core/src/accounts/purge.rs does not empty {module}");
        tables += 1;
    }
    assert!(tables >= 8, "{tables}");
}

#[test]
fn every_escape_is_counted_and_reasoned() {
    let mut escapes = Vec::new();
    // Unit tests may look anywhere.
    let is_guarded =
        |source: &&Source| !source.path.starts_with("core/src/db/") && !source.path.ends_with("/tests.rs");
    for source in sources("core/src").iter().filter(is_guarded) {
        let lines: Vec<_> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            for door in [".unscoped()", ".across(", ".enter(", "Authorized::checked(", ".commit_unaudited()"]
            {
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
        [".unscoped()", ".across(", ".enter(", "Authorized::checked(", ".commit_unaudited()"].map(count),
        [30, 9, 22, 2, 13]
    );
}

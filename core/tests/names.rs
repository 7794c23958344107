//! Names and words (CONTRIBUTING.md, "Names and words"), checked by reading the sources.

#![expect(clippy::unwrap_used, reason = "tests")]

mod sources;

use std::{collections::BTreeMap, fs, path::Path};

use sources::{root, sources};

/// What sea-orm generates for every table, and what each migration is called.
const GENERATED: &[&str] =
    &["Model", "Entity", "Column", "Relation", "ActiveModel", "PrimaryKey", "Migration"];

/// Where a name must be unique. Each crate has its `Error` and `Result`, and each command of the command line its `Args` or
/// the `Command`s below it; every other name is unique in the workspace.
fn scope<'a>(name: &str, path: &'a str) -> &'a str {
    match name {
        "Error" | "Result" => path.split('/').next().unwrap_or_default(),
        "Args" | "Command" if path.starts_with("api/src/cli/") => path,
        _ => "workspace",
    }
}

/// Words that no text for users contains (CONTRIBUTING.md, rule 10).
const AVOIDED_WORDS: &[&str] = &[
    "he", "his", "him", "himself", "whoever", "whosever", "whom", "heed", "dear", "hat", "hats", "bell",
    "hands",
];

#[test]
fn a_type_name_is_unique_in_the_workspace() {
    let mut types: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for source in
        ["core/src", "api/src", "worker/src", "migrations/src"].iter().flat_map(|folder| sources(folder))
    {
        // The API of unit tests is no part of the program.
        if source.path.starts_with("api/src/test_api/") {
            continue;
        }
        for line in source.text.lines().filter(|line| line.starts_with("pub")) {
            let rest = &line["pub".len()..];
            let item = match rest.strip_prefix('(') {
                Some(visibility) => visibility.split_once(") ").map_or("", |(_, item)| item),
                None => rest,
            };
            let mut words = item.split_whitespace();
            if !words.next().is_some_and(|kind| ["struct", "enum", "trait", "type", "union"].contains(&kind))
            {
                continue;
            }
            let name = words.next().unwrap_or_default();
            let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
            let name = &name[..end];
            if end > 0 && !GENERATED.contains(&name) {
                let key = (scope(name, &source.path).to_owned(), name.to_owned());
                types.entry(key).or_default().push(source.path.clone());
            }
        }
    }
    assert!(types.len() > 300, "the types were found: {}", types.len());
    types.retain(|_, places| places.len() > 1);
    assert!(types.is_empty(), "two types of one name: {types:#?}");
}

/// Every file below `folder` whose name ends like one of `ends`.
fn files(folder: &Path, ends: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path, ends));
        } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            out.push(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
    out
}

#[test]
fn texts_for_users_are_in_plain_words() {
    let mut texts: Vec<String> =
        ["README.md", ".env.example", "docs/operations.md"].map(str::to_owned).into();
    texts.extend(files(&root().join("worker/src/mailer/templates"), &[".txt", ".html"]));
    texts.extend(files(&root().join("api/src/pages"), &[".html", ".js"]));
    texts.push("api/openapi.json".to_owned());
    texts.push("core/src/base/error/mod.rs".to_owned());
    texts.push("core/src/base/error/advice.rs".to_owned());
    assert!(texts.len() > 30, "{texts:?}");
    let mut found = Vec::new();
    for file in texts {
        for (number, line) in fs::read_to_string(root().join(&file)).unwrap().lines().enumerate() {
            // Comments are not for users.
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
                if AVOIDED_WORDS.contains(&word.to_lowercase().as_str()) {
                    found.push(format!("{file}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn comments_are_in_plain_words() {
    let folders =
        ["core/src", "api/src", "worker/src", "migrations/src", "tests/src", "tests/api", "tests/xtask/src"];
    let pronouns = &AVOIDED_WORDS[..7];
    let mut found = Vec::new();
    for source in folders.iter().flat_map(|folder| sources(folder)) {
        for (number, line) in source.text.lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            for word in comment.split(|c: char| !c.is_alphanumeric()) {
                if pronouns.contains(&word.to_lowercase().as_str()) {
                    found.push(format!("{}:{}: {word}", source.path, number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

//! Code that tries to leave its tenant scope must not compile.
//!
//! Each file of `compile_fail/` is compiled by itself against the crates that this test was linked with. A comment
//! `//~ CODE: text` states the error that its line must give: the code, and a part of the message. `allowed.rs` has none.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// An error at a line: the line, the code of the error, the message.
type CompileError = (u64, String, String);

/// The newest build of a crate in the folder of this test's program. It is the one that this test was linked with,
/// because Cargo has just built both.
fn library(deps: &Path, name: &str) -> PathBuf {
    let prefix = format!("lib{name}-");
    let libraries = fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path()).filter(|path| {
        path.extension().is_some_and(|extension| extension == "rlib")
            && path.file_name().unwrap().to_string_lossy().starts_with(&prefix)
    });
    libraries.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).expect(name)
}

/// What the compiler says about a file.
fn compile(file: &Path, deps: &Path) -> Vec<CompileError> {
    let out = tempfile::tempdir().unwrap();
    let library_of = |name: &str| format!("{name}={}", library(deps, name).display());
    let output = Command::new("rustc")
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--emit=metadata",
            "--error-format=json",
            "-Adead_code",
            "--out-dir",
        ])
        .arg(out.path())
        .args(["--extern", &library_of("insula_core"), "--extern", &library_of("sea_orm")])
        .arg("-L")
        .arg(format!("dependency={}", deps.display()))
        .arg(file)
        .output()
        .unwrap();
    let diagnostics = String::from_utf8(output.stderr).unwrap();
    let errors = diagnostics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line))
        .filter_map(|diagnostic| {
            let span = diagnostic["spans"].as_array()?.iter().find(|span| span["is_primary"] == true);
            // The last error only counts the others.
            let counts = span.is_none() && !diagnostic["code"]["code"].is_string();
            (diagnostic["level"] == "error" && !counts).then(|| {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let line = span.and_then(|span| span["line_start"].as_u64()).unwrap_or_default();
                (line, text(&diagnostic["code"]["code"]), text(&diagnostic["message"]))
            })
        });
    let errors: Vec<_> = errors.collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{}: {diagnostics}", file.display());
    errors
}

/// The errors that the comments of a file state.
fn stated(text: &str) -> Vec<CompileError> {
    let comments =
        text.lines().zip(1..).filter_map(|(line, number)| Some((number, line.split_once("//~ ")?.1)));
    comments
        .map(|(number, error)| {
            let (code, message) = error.split_once(": ").expect(error);
            (number, code.to_owned(), message.to_owned())
        })
        .collect()
}

#[test]
fn leaving_the_tenant_scope_does_not_compile() {
    let deps = env::current_exe().unwrap().parent().unwrap().to_owned();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut tried = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let stated = stated(&fs::read_to_string(&file).unwrap());
        let errors = compile(&file, &deps);
        assert_eq!(name == "allowed.rs", stated.is_empty(), "{name} states an error");
        for (line, code, message) in &stated {
            let found =
                errors.iter().any(|error| error.0 == *line && error.1 == *code && error.2.contains(message));
            assert!(found, "{name}:{line} must give {code}: {message}\n{errors:#?}");
        }
        for (line, code, message) in &errors {
            let known = stated.iter().any(|error| error.0 == *line && error.1 == *code);
            assert!(known, "{name}:{line} gives another error. {code}: {message}");
        }
        tried.insert(name);
    }
    assert!(tried.contains("allowed.rs") && tried.len() > 1, "{tried:?}");
}

//! The sources of the workspace, read as text.

use std::{fs, path::Path};

/// One source file.
pub(crate) struct Source {
    /// From the workspace's root, such as `core/src/storage/db/mod.rs`.
    pub(crate) path: String,
    /// Without its unit tests and comments.
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every Rust source below `folder`, which is a path from the workspace's root.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    fn walk(path: &Path, out: &mut Vec<Source>) {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                let path = path.strip_prefix(root()).unwrap().display().to_string();
                out.push(Source { path, text: code.collect::<Vec<_>>().join("\n") });
            }
        }
    }
    let mut out = Vec::new();
    walk(&root().join(folder), &mut out);
    assert!(!out.is_empty(), "{folder} has sources");
    out
}

//! What a new resource changes: every file is read and edited in memory first, and written only when all edits fit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Failure, edit, name::ResourceName, template};

/// Where templates are, from the root of the workspace.
const TEMPLATES: &str = "tests/xtask/templates";

/// A file to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// From the root of the workspace.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    pub(crate) is_new: bool,
}

/// The files of a new resource, in the order of their paths.
///
/// # Errors
/// When the resource exists, or a place that an edit names is not there. Nothing is written.
pub(crate) fn plan(root: &Path, name: &ResourceName) -> Result<Vec<Change>, Failure> {
    let mut placeholders = name.placeholders();
    placeholders.push(("{{migration}}", format!("m{:04}_{}", next_migration(root)?, name.plural())));
    let mut changes = BTreeMap::new();
    for (kind, ending) in [("new", ".tmpl"), ("edits", ".edit")] {
        let folder = root.join(TEMPLATES).join(kind);
        for source in files(&folder)? {
            let place = relative(&source, root);
            let inner = relative(&source, &folder);
            let Some(inner) = inner.strip_suffix(ending) else {
                return Err(Failure::new(format!("{place}: the name must end in {ending}.")));
            };
            let path = template::fill(inner, &placeholders, &place)?;
            let filled = template::fill(&read(&source)?, &placeholders, &place)?;
            let target = root.join(&path);
            let is_new = kind == "new";
            let text = if is_new {
                if target.try_exists().unwrap_or(true) {
                    return Err(Failure::new(format!("{path} exists already.")));
                }
                filled
            } else {
                edit::parse(&filled, &place)
                    .and_then(|edits| edit::apply(&read(&target)?, &edits, &path))
                    .map_err(|failure| failure.and(&format!("The template is {place}.")))?
            };
            changes.insert(path.clone(), Change { path, text, is_new });
        }
    }
    Ok(changes.into_values().collect())
}

/// Writes the files.
///
/// # Errors
/// When a file cannot be written; those before it are.
pub(crate) fn write(root: &Path, changes: &[Change]) -> Result<(), Failure> {
    for change in changes {
        let target = root.join(&change.path);
        let written = target
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&target, &change.text));
        written.map_err(|error| Failure::new(format!("{} cannot be written: {error}.", change.path)))?;
    }
    Ok(())
}

/// The number after that of the newest migration.
fn next_migration(root: &Path) -> Result<u32, Failure> {
    let folder = root.join("migrations/src");
    let number =
        |path: PathBuf| path.file_name()?.to_str()?.strip_prefix('m')?.split_once('_')?.0.parse::<u32>().ok();
    let newest = files(&folder)?.into_iter().filter_map(number).max();
    newest.map(|newest| newest + 1).ok_or_else(|| Failure::new("migrations/src has no migrations."))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}.", path.display())))
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| Failure::new(format!("{} cannot be read: {error}.", folder.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(plural: &str) -> Result<Vec<Change>, String> {
        let name = ResourceName::parse(plural, None).map_err(|failure| failure.to_string())?;
        plan(&crate::root(), &name).map_err(|failure| failure.to_string())
    }

    /// Fails when a file of the workspace no longer has a place that a template names.
    #[test]
    fn every_template_fits_the_workspace() {
        let changes = planned("zebra_crossings").unwrap_or_else(|message| panic!("{message}"));
        let new = changes.iter().filter(|change| change.is_new).count();
        assert!(new >= 6 && changes.len() - new >= 20, "{new} of {}", changes.len());
        for change in &changes {
            assert!(change.text.ends_with('\n') && !change.text.ends_with("\n\n"), "{}", change.path);
            assert!(change.text.to_lowercase().contains("zebra") || !change.is_new, "{}", change.path);
        }
    }

    #[test]
    fn a_resource_that_exists_is_refused() {
        for existing in ["tags", "projects"] {
            let message = planned(existing).err().unwrap_or_default();
            assert!(
                message.contains("exists already") || message.contains("has the name already"),
                "{message}"
            );
        }
    }

    /// CONTRIBUTING.md lists the files in which a new resource changes something.
    #[test]
    fn the_guide_names_every_place() {
        let guide = read(&crate::root().join("CONTRIBUTING.md")).unwrap_or_default();
        let changes = planned("zebra_crossings").unwrap_or_else(|message| panic!("{message}"));
        for change in changes.iter().filter(|change| change.path != "api/openapi.json") {
            let path =
                change.path.replace("zebra_crossings", "<resource>").replace("zebra_crossing", "<resource>");
            let path = match path.rsplit_once("/m0") {
                Some((folder, _)) => format!("{folder}/m00NN_<resource>.rs"),
                None => path,
            };
            assert!(guide.contains(&format!("`{path}`")), "CONTRIBUTING.md does not name `{path}`");
        }
    }
}

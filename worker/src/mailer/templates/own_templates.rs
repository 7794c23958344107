//! The templates of an installation, in a folder for each language.

use std::{collections::BTreeSet, fs, path::Path};

use insula_core::base::text::Locale;

use super::{BUILT_IN, FALLBACK};

/// The languages in which e-mails are written, sorted, as BCP 47 language tags: English, and those of the folder `own`.
pub fn mail_languages(own: Option<&Path>) -> Vec<String> {
    let folders = own.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let names = folders
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok());
    let languages = names.filter(|name| Locale::parse(name).is_ok()).chain([FALLBACK.to_owned()]);
    languages.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The templates of a folder by name, such as `en/verify.html`. A file with another name is an error.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let path_error = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut found = Vec::new();
    for language in fs::read_dir(folder).map_err(|error| path_error(folder, error))? {
        let language = language.map_err(|error| path_error(folder, error))?.path();
        let Some(tag) =
            language.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        if !language.is_dir() {
            continue;
        }
        for file in fs::read_dir(&language).map_err(|error| path_error(&language, error))? {
            let file = file.map_err(|error| path_error(&language, error))?.path();
            let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with('.') || !(name.ends_with(".txt") || name.ends_with(".html")) {
                continue;
            }
            let is_known =
                BUILT_IN.iter().any(|(known, _)| known.split_once('/').is_some_and(|(_, file)| file == name));
            if !is_known {
                return Err(format!("{}: there is no template with this name", file.display()));
            }
            let text = fs::read_to_string(&file).map_err(|error| path_error(&file, error))?;
            found.push((format!("{tag}/{name}"), text));
        }
    }
    Ok(found)
}

//! Sources of settings and their precedence.

use std::{collections::BTreeMap, fmt, fs, io::ErrorKind, path::Path};

use super::{Setting, dotenv, kubernetes, value::Value};

/// The errors of the configuration: one line each, starting with the name of the setting.
#[derive(Debug)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// One source of settings.
#[derive(Clone, Debug)]
pub struct SettingSource {
    /// Name of the source in the output of `insula config print`.
    pub name: String,
    values: BTreeMap<String, String>,
}

/// All sources; later ones take precedence.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<SettingSource>);

impl Sources {
    /// The file (TOML, keys as in the environment, lower case, without `insula_`), `.env`, the environment, the flags.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub fn load(file: Option<&Path>, flags: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut sources = Vec::new();
        if let Some(file) = file {
            let values =
                read_toml(file).map_err(|fault| ConfigError(vec![format!("{}: {fault}", file.display())]))?;
            sources.push(SettingSource { name: file.display().to_string(), values });
        }
        match fs::read(".env") {
            Ok(bytes) => {
                let values = dotenv::read(&bytes);
                let values = values.map_err(|fault| ConfigError(vec![format!(".env: {fault}")]))?;
                sources.push(SettingSource { name: ".env".into(), values });
            }
            Err(fault) if fault.kind() == ErrorKind::NotFound => {}
            Err(fault) => return Err(ConfigError(vec![format!(".env: {fault}")])),
        }
        let environment = environment()?;
        sources.push(SettingSource { name: "environment".into(), values: environment });
        sources.push(SettingSource { name: "flag".into(), values: flags });
        Ok(Self(sources))
    }

    /// Only these settings, for tests that must not depend on the environment.
    pub fn only(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self(vec![SettingSource { name: "only".into(), values }])
    }

    /// The text of a setting and the name of its source; `None` if it is not set.
    pub fn get(&self, name: &str) -> Option<(Result<String, String>, &str)> {
        self.0.iter().rev().find_map(|source| {
            let file = || source.values.get(&format!("{name}_FILE"));
            let text = match source.values.get(name) {
                Some(text) => Ok(text.clone()),
                None => {
                    let file = file()?;
                    let text =
                        fs::read_to_string(file).map_err(|fault| format!("{name}_FILE: {file}: {fault}"));
                    text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                }
            };
            Some((text, source.name.as_str()))
        })
    }

    /// The value of a setting; errors are added to `faults`.
    pub(super) fn value<T: Value>(&self, name: &str, default: &str, faults: &mut Vec<String>) -> Option<T> {
        let text = match self.get(name) {
            // The specification of OpenTelemetry treats an empty value as unset.
            Some((Ok(text), _)) if text.is_empty() && name.starts_with(OPENTELEMETRY) => default.to_owned(),
            Some((Ok(text), _)) => text,
            Some((Err(fault), _)) => {
                faults.push(fault);
                return None;
            }
            None => default.to_owned(),
        };
        T::parse(&text).map_err(|expected| faults.push(format!("{name}: expected {expected}"))).ok()
    }

    /// Unknown settings that start with `INSULA_`, and settings that are set both as a value and as a file.
    pub(super) fn faults(&self, known: &[Setting]) -> Vec<String> {
        let mut faults = Vec::new();
        for source in &self.0 {
            for name in source.values.keys().filter(|name| name.starts_with("INSULA_")) {
                let plain = name.strip_suffix("_FILE").unwrap_or(name);
                if !known.iter().any(|setting| setting.name == plain || setting.name == name) {
                    faults.push(format!("{name}: unknown{}", suggestion(plain, known)));
                }
            }
            for setting in known {
                let file = format!("{}_FILE", setting.name);
                if source.values.contains_key(setting.name) && source.values.contains_key(&file) {
                    faults.push(format!("{}: set both as a value and as {file}", setting.name));
                }
            }
        }
        faults
    }
}

/// The settings in the environment. Other variables are ignored, and so are those that Kubernetes sets for services.
fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    let (mut values, mut faults) = (BTreeMap::new(), Vec::new());
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
    let variables = std::env::vars_os();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        let is_ours =
            name.starts_with("INSULA_") || is_unprefixed(name.strip_suffix("_FILE").unwrap_or(&name));
        match value.into_string() {
            _ if !is_ours => {}
            Ok(value) if kubernetes::is_service_variable(&name, &value) => {}
            Ok(value) => drop(values.insert(name, value)),
            Err(_) => faults.push(format!("{name}: not UTF-8")),
        }
    }
    match faults.is_empty() {
        true => Ok(values),
        false => Err(ConfigError(faults)),
    }
}

/// Settings with the common names of other programs, without the prefix `INSULA_`.
const UNPREFIXED: [&str; 4] = ["DATABASE_URL", "REDIS_URL", "RUST_LOG", "NO_COLOR"];

/// Has the setting its common name? All settings of OpenTelemetry have.
fn is_unprefixed(name: &str) -> bool {
    UNPREFIXED.contains(&name) || name.starts_with(OPENTELEMETRY)
}

/// What the names of the settings of OpenTelemetry begin with.
const OPENTELEMETRY: &str = "OTEL_";

fn suggestion(name: &str, known: &[Setting]) -> String {
    let nearest =
        known.iter().map(|setting| (strsim::damerau_levenshtein(name, setting.name), setting.name)).min();
    match nearest {
        Some((distance, nearest)) if distance <= 4 => format!("; did you mean {nearest}?"),
        _ => "; `insula config print` lists all settings".into(),
    }
}

fn read_toml(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read_to_string(file).map_err(|fault| fault.to_string())?;
    // The message of the parser would repeat the line, which may hold a secret.
    let table: toml::Table = text.parse().map_err(|fault: toml::de::Error| {
        let before = fault.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: invalid TOML", before.matches('\n').count() + 1)
    })?;
    let entry = |(key, value): (String, toml::Value)| {
        let upper = key.to_uppercase();
        let name = if is_unprefixed(&upper) { upper } else { format!("INSULA_{upper}") };
        match value {
            toml::Value::String(text) => Ok((name, text)),
            toml::Value::Table(_) | toml::Value::Array(_) => {
                Err(format!("{key}: expected a string, number or boolean"))
            }
            plain => Ok((name, plain.to_string())),
        }
    };
    table.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, values: &[(&str, &str)]) -> SettingSource {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        SettingSource { name: name.into(), values }
    }

    #[test]
    fn the_source_with_the_highest_precedence_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "from a file\n").unwrap();
        let sources = Sources(vec![
            source(".env", &[("A", "1"), ("B", "1")]),
            source("environment", &[("A", "2"), ("C_FILE", path.to_str().unwrap())]),
        ]);
        assert_eq!(sources.get("A"), Some((Ok("2".into()), "environment")));
        assert_eq!(sources.get("B"), Some((Ok("1".into()), ".env")));
        assert_eq!(sources.get("C"), Some((Ok("from a file".into()), "environment")));
        assert_eq!(sources.get("D"), None);
    }

    #[test]
    fn a_value_and_a_file_of_the_same_setting_are_refused() {
        let known = [Setting { name: "INSULA_KEY", default: "", about: "", secret: true }];
        let sources = Sources(vec![source("environment", &[("INSULA_KEY", "a"), ("INSULA_KEY_FILE", "b")])]);
        assert_eq!(sources.faults(&known), ["INSULA_KEY: set both as a value and as INSULA_KEY_FILE"]);
    }

    #[test]
    fn a_configuration_file_is_toml_without_the_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("insula.toml");
        fs::write(&path, "bind = \"0.0.0.0:80\"\ndatabase_url = \"sqlite://x\"\nmax_connections = 5\n")
            .unwrap();
        let values = read_toml(&path).unwrap();
        assert_eq!(values["INSULA_BIND"], "0.0.0.0:80");
        assert_eq!(values["DATABASE_URL"], "sqlite://x");
        assert_eq!(values["INSULA_MAX_CONNECTIONS"], "5");
        fs::write(&path, "bind = \"x\"\n\nsecret_key = hunter2\n").unwrap();
        assert_eq!(read_toml(&path).unwrap_err(), "line 3: invalid TOML");
    }
}

//! The files of `deploy/observability/` and the runbooks, and what can be checked without a running installation.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use insula_tests::services::promtool;

use crate::dashboards::DASHBOARDS;

/// Where the files are.
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.canonicalize().unwrap_or_else(|_| root.to_owned()) }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join("deploy/observability").join(name)
    }

    /// The rule files.
    pub(crate) fn rules(&self) -> Vec<PathBuf> {
        files(&self.folder("rules"), "yaml")
    }

    /// Writes the dashboards; returns what failed.
    pub(crate) fn write_dashboards(&self) -> Vec<String> {
        let write = |dashboard: &crate::dashboards::Dashboard| {
            let file = self.folder("dashboards").join(format!("{}.json", dashboard.name));
            fs::write(&file, dashboard.file()).err().map(|error| format!("{}: {error}", file.display()))
        };
        DASHBOARDS.iter().filter_map(write).collect()
    }

    /// Checks dashboards, rules, the tests of rules, and runbooks; returns what is wrong.
    pub(crate) fn check(&self) -> Vec<String> {
        let mut failures = self.check_dashboards();
        failures.extend(self.check_cases());
        let (rules, cases) = (self.rules(), files(&self.folder("rules/tests"), "yaml"));
        for (command, files) in [("check", &rules), ("test", &cases)] {
            let files: Vec<_> = files.iter().filter_map(|file| file.to_str()).collect();
            failures.extend(promtool(&self.root, &[&[command, "rules"], &files[..]].concat()).err());
        }
        failures
    }

    fn check_dashboards(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for dashboard in DASHBOARDS {
            let file = self.folder("dashboards").join(format!("{}.json", dashboard.name));
            if fs::read_to_string(&file).ok() != Some(dashboard.file()) {
                failures.push(format!("{} is out of date: `make dashboards`", file.display()));
            }
        }
        let known: BTreeSet<_> =
            DASHBOARDS.iter().map(|dashboard| format!("{}.json", dashboard.name)).collect();
        for file in files(&self.folder("dashboards"), "json") {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !known.contains(&name) {
                failures.push(format!("{name} is a dashboard that no table describes"));
            }
        }
        failures
    }

    /// Every alert has a firing and a quiet case, and no case tests an alert that does not exist.
    fn check_cases(&self) -> Vec<String> {
        let cases: String =
            files(&self.folder("rules/tests"), "yaml").iter().map(|file| read(file)).collect();
        let (mut firing, mut quiet) = (BTreeSet::new(), BTreeSet::new());
        for case in cases.split("- expr: ").skip(1) {
            let name = case.split("alertname=\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(name) = name else { continue };
            let expected = case.split("exp_samples: ").nth(1).unwrap_or_default();
            let set = if expected.starts_with("[]") { &mut quiet } else { &mut firing };
            set.insert(name.to_owned());
        }
        let alerts = self.alerts();
        let mut failures = Vec::new();
        for alert in &alerts {
            for (set, kind) in [(&firing, "in which it fires"), (&quiet, "in which it is quiet")] {
                if !set.contains(alert) {
                    failures.push(format!("{alert} has no case {kind}"));
                }
            }
        }
        let unknown = firing.union(&quiet).filter(|name| !alerts.contains(*name));
        failures.extend(unknown.map(|name| format!("a case tests {name}, which is no alert")));
        failures
    }

    fn alerts(&self) -> BTreeSet<String> {
        let text: String = self.rules().iter().map(|file| read(file)).collect();
        text.lines().filter_map(|line| Some(line.trim().strip_prefix("- alert: ")?.to_owned())).collect()
    }

    /// Checks that a runbook exists and has all parts; returns what is wrong.
    pub(crate) fn check_runbook(&self, url: &str) -> Option<String> {
        const PARTS: [&str; 4] = ["## Symptom", "## Meaning", "## What to look at", "## What to do"];
        let path = url.strip_prefix("docs/runbooks/").map(|_| self.root.join(url));
        let Some(path) = path.filter(|path| path.is_file()) else {
            return Some(format!("{url} is no runbook"));
        };
        let text = read(&path);
        let part = PARTS.iter().find(|part| !text.contains(**part))?;
        Some(format!("{url} has no part {part:?}"))
    }

    /// The runbooks, as they are named in alerts.
    pub(crate) fn runbooks(&self) -> BTreeSet<String> {
        let names = files(&self.root.join("docs/runbooks"), "md").into_iter();
        let names = names.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()));
        names.filter(|name| name != "README.md").map(|name| format!("docs/runbooks/{name}")).collect()
    }

    /// The commands of the runbooks: the name of each runbook, and one of its blocks.
    pub(crate) fn commands(&self) -> Vec<(String, String)> {
        let blocks = |name: String| {
            let text = read(&self.root.join(&name));
            let parts = text.split("```").skip(1).step_by(2);
            let blocks = parts.filter_map(|part| part.strip_prefix("sh\n").map(str::to_owned));
            blocks.map(|block| (name.clone(), block)).collect::<Vec<_>>()
        };
        self.runbooks().into_iter().flat_map(blocks).collect()
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// The files of a folder with this extension, sorted.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        entries.filter(|file| file.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

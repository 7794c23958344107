//! The virtual environment of schemathesis in the target folder, with pinned versions.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use insula_tests::{binary, services};

/// The folder of the requirements, hooks and configuration.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");

/// A virtual environment in which schemathesis is installed.
pub(crate) struct Environment {
    /// Its working folder, which also keeps the reports.
    pub(crate) folder: PathBuf,
}

impl Environment {
    /// The environment in the target folder, created when it is missing or has other versions.
    ///
    /// # Errors
    /// What could not be installed.
    pub(crate) fn find_or_make() -> Result<Self, String> {
        let target =
            binary("fuzz").ancestors().nth(2).map(Path::to_owned).ok_or("fuzz is in no target folder")?;
        let environment = Self { folder: target.join("fuzz") };
        let (wanted, stamp) =
            (Path::new(SOURCES).join("requirements.txt"), environment.folder.join("installed"));
        let wanted =
            std::fs::read_to_string(&wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        // Debian has `venv` in a separate package.
        if run(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_err() {
            services::install(&["python3", "python3-venv"])?;
        }
        let place = environment.folder.join("python");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let requirements = Path::new(SOURCES).join("requirements.txt");
        let quietly = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(place.join("bin/pip")).args(quietly).arg(requirements))?;
        std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
        Ok(environment)
    }

    /// Schemathesis with our configuration and hooks.
    pub(crate) fn schemathesis(&self) -> Command {
        let mut command = Command::new(self.folder.join("python/bin/st"));
        command.current_dir(&self.folder);
        command
            .env("PYTHONPATH", SOURCES)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SCHEMATHESIS_HOOKS", "hooks");
        command.arg("--config-file").arg(Path::new(SOURCES).join("schemathesis.toml"));
        command
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name} failed:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

//! Development tasks of this repository: `cargo xtask --help`. No part of the product.
#![forbid(unsafe_code)]

mod arguments;
mod edit;
mod failure;
mod name;
mod plan;
mod screen;
mod template;

use std::{
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use arguments::{Arguments, Task};
use failure::Failure;
use screen::Screen;

/// The root of the workspace.
fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).map_or_else(|| own.clone(), PathBuf::from)
}

fn main() -> ExitCode {
    let screen = Screen::new();
    let done = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| match arguments.task {
        Task::Help => {
            screen.print(arguments::HELP);
            Ok(())
        }
        Task::NewResource => new_resource(&screen, &arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.error(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn new_resource(screen: &Screen, arguments: &Arguments) -> Result<(), Failure> {
    let (root, name) = (root(), &arguments.name()?);
    let changes = plan::plan(&root, name).map_err(|failure| failure.and("Nothing was changed."))?;
    if !arguments.is_dry_run {
        plan::write(&root, &changes)?;
    }
    screen.title(&format!("Resource `{}`, of which one is `{}`", name.plural(), name.singular()));
    for change in &changes {
        screen.change(&change.path, change.is_new);
    }
    if arguments.is_dry_run {
        screen.print("Nothing was changed: this was a dry run.\n");
        return Ok(());
    }
    run(screen, &root, &["cargo", "fmt", "--all"])?;
    if arguments.makes_document {
        run(screen, &root, &["make", "openapi"])?;
        screen.change("api/openapi.json", false);
    }
    screen.title("Next steps");
    screen.print(&arguments::next_steps(name, arguments.makes_document));
    Ok(())
}

/// Runs a command in the root of the workspace. What it prints goes to standard error.
fn run(screen: &Screen, root: &std::path::Path, command: &[&str]) -> Result<(), Failure> {
    screen.title(&format!("Running `{}`", command.join(" ")));
    let status = Command::new(command[0])
        .args(&command[1..])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Failure::new(format!("`{}` failed ({status}). The files are written.", command.join(" "))))
        }
        Err(error) => Err(Failure::new(format!("`{}` cannot be started: {error}.", command.join(" ")))),
    }
}

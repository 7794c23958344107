//! `insula completion`: a completion script for a shell.

use clap::CommandFactory;

use super::{Cli, CliError};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "insula", &mut script);
    super::say(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

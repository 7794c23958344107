//! `insula config`: what is set, by whom, and whether it is right.

use insula_core::runtime::{
    cluster::{Cluster, Namespace},
    config::{Config, Sources},
};

use super::{Fault, say};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Say what is wrong with the settings, if anything is
    Check,
    /// Show every setting, its value and where it comes from; secrets are hidden
    Print {
        /// As a table for documents: names, defaults and meanings
        #[arg(long)]
        markdown: bool,
        /// As a file to copy to `.env`: every setting with its meaning, commented out
        #[arg(long, conflicts_with = "markdown")]
        env: bool,
    },
}

pub(super) fn run(sources: &Sources, command: &Command) -> Result<(), Fault> {
    match command {
        Command::Print { markdown: true, .. } => say(markdown()),
        Command::Print { env: true, .. } => say(env_example()),
        Command::Print { .. } => print(sources),
        Command::Check => {
            let config = Config::read(sources)?;
            config.refuse_insecure()?;
            Cluster::new(&config, &Namespace::of("check"))?;
            say("the settings are right");
        }
    }
    Ok(())
}

fn print(sources: &Sources) {
    let width = Config::SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
    for setting in Config::SETTINGS {
        let (value, source) = match sources.get(setting.name) {
            Some((Ok(_), source)) if setting.secret => ("(hidden)".to_owned(), source),
            Some((Ok(value), source)) => (value, source),
            Some((Err(fault), source)) => (format!("({fault})"), source),
            None => (setting.default.to_owned(), "default"),
        };
        say(format_args!("{:width$}  {:12}  {value}", setting.name, source));
    }
}

/// The table of the README.
fn markdown() -> String {
    let row = |setting: &insula_core::runtime::config::Setting| {
        let default =
            if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        format!("| `{}` | {default} | {} |", setting.name, setting.about)
    };
    let rows: Vec<_> = Config::SETTINGS.iter().map(row).collect();
    format!("| setting | default | meaning |\n|---|---|---|\n{}", rows.join("\n"))
}

/// The content of `.env.example`.
fn env_example() -> String {
    let entry = |setting: &insula_core::runtime::config::Setting| {
        format!("\n# {}\n#{}={}\n", setting.about, setting.name, setting.default)
    };
    let entries: String = Config::SETTINGS.iter().map(entry).collect();
    format!(
        "# Every setting with its default. Nothing needs to be set: copy this file to `.env`, and take the `#` from what you\n\
         # change. Written by `make env-example`.\n{}",
        entries.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_an_env_file_lists_every_setting() {
        let file = include_str!("../../../.env.example");
        assert_eq!(file.trim_end(), env_example(), ".env.example is out of date: `make env-example`");
    }

    #[test]
    fn the_readme_lists_every_setting() {
        let readme = include_str!("../../../README.md");
        let (_, rest) = readme.split_once("<!-- settings: `insula config print --markdown` -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
        assert_eq!(
            table.trim(),
            markdown(),
            "README.md is out of date: paste `insula config print --markdown`"
        );
    }
}

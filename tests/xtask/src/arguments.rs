//! The command line.

use crate::{Failure, name::ResourceName};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Development tasks of this repository.

Usage: cargo xtask new-resource <RESOURCES> [OPTIONS]

Writes the migration, permissions, entity, rules, routes and tests of a plain
resource of an organization, with a unique name and a description, in every
place that a new resource touches. CONTRIBUTING.md lists the places. Nothing is
written if one of them is not found.

Arguments:
  <RESOURCES>        Plural in snake_case, such as `invoices` or `line_items`

Options:
      --singular <RESOURCE>  Singular, if the common rules do not find it:
                             `statuses --singular status`
      --dry-run      Only list the files
      --no-openapi   Do not build the program to update api/openapi.json
  -h, --help         Print this help
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    NewResource,
}

/// The parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    plural: Option<String>,
    singular: Option<String>,
    pub(crate) is_dry_run: bool,
    pub(crate) makes_document: bool,
}

impl Arguments {
    /// Parses the arguments after the name of the program.
    ///
    /// # Errors
    /// A sentence about the argument that is wrong.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut parsed = Self {
            task: Task::NewResource,
            plural: None,
            singular: None,
            is_dry_run: false,
            makes_document: true,
        };
        let mut task = None;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "-h" | "--help" => return Ok(Self { task: Task::Help, ..parsed }),
                "--dry-run" => parsed.is_dry_run = true,
                "--no-openapi" => parsed.makes_document = false,
                "--singular" => {
                    let singular = arguments.next();
                    parsed.singular = Some(singular.ok_or_else(|| usage("`--singular` needs a name."))?);
                }
                option if option.starts_with("--singular=") => {
                    parsed.singular = option.strip_prefix("--singular=").map(str::to_owned);
                }
                option if option.starts_with('-') => {
                    return Err(usage(&format!("There is no option `{option}`.")));
                }
                "new-resource" if task.is_none() => task = Some(Task::NewResource),
                other if task.is_none() => return Err(usage(&format!("There is no task `{other}`."))),
                plural if parsed.plural.is_none() => parsed.plural = Some(plural.to_owned()),
                other => return Err(usage(&format!("`{other}` is one argument too many."))),
            }
        }
        match (task, &parsed.plural) {
            (None, _) => Ok(Self { task: Task::Help, ..parsed }),
            (Some(_), None) => Err(usage("The name of the resource is missing.")),
            (Some(_), Some(_)) => Ok(parsed),
        }
    }

    /// The name of the resource.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name.
    pub(crate) fn name(&self) -> Result<ResourceName, Failure> {
        ResourceName::parse(self.plural.as_deref().unwrap_or_default(), self.singular.as_deref())
    }
}

fn usage(message: &str) -> Failure {
    Failure::usage(format!("{message} `cargo xtask --help` describes the arguments."))
}

/// What is left to do for a person.
pub(crate) fn next_steps(name: &ResourceName, has_document: bool) -> String {
    let (many, one) = (name.plural(), name.singular().replace('_', " "));
    let document = if has_document { "" } else { "  0. Run `make openapi`.\n" };
    format!(
        "{document}  1. Read `git diff`, and change what is special: columns in the migration and in
     core/src/work/{many}/entity.rs, rules in core/src/work/{many}/mod.rs, schemas in
     api/src/routes/work/{many}/schema.rs.
  2. Decide which built-in roles include `{many}:…` (core/src/base/permissions/builtin_role.rs).
     Viewers and members read now, admins and owners also change.
  3. Say what {a} {one} is in docs/glossary.md, and mention it in CHANGELOG.md.
  4. Run `make openapi` after each change of the routes, then `make lint test`.
",
        a = name.article(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_command_line_is_read() {
        let arguments = parse("new-resource statuses --singular status --dry-run --no-openapi");
        assert!(arguments.is_ok_and(|it| it.is_dry_run && !it.makes_document && it.name().is_ok()));
        assert!(parse("new-resource invoices --singular=bill").is_ok_and(|it| it.makes_document));
        for help in ["", "--help", "new-resource -h", "new-resource invoices --help"] {
            assert!(parse(help).is_ok_and(|it| it.task == Task::Help), "{help}");
        }
    }

    #[test]
    fn a_wrong_command_line_is_explained() {
        for (line, message) in [
            ("new-resource", "The name of the resource is missing."),
            ("new-resource invoices bills", "`bills` is one argument too many."),
            ("new-table invoices", "There is no task `new-table`."),
            ("new-resource invoices --force", "There is no option `--force`."),
            ("new-resource invoices --singular", "`--singular` needs a name."),
        ] {
            assert!(parse(line).is_err_and(|fault| fault.starts_with(message)), "{line}");
        }
    }
}

//! What a development server prints to the terminal at start.

use insula_api::pages::{dev_inbox, docs};
use insula_core::runtime::config::Config;

use super::{OPERATOR, PEOPLE, SLUG, email, password_file};
use crate::cli::say;

/// How to empty the database, as an instruction.
pub(super) fn start_anew(config: &Config) -> String {
    match config.database_url {
        None => format!("delete the folder {}", config.data_dir.display()),
        Some(_) => "run `insula migrate fresh`".to_owned(),
    }
}

/// Prints URLs and demo logins, or how to create demo data. Prints nothing in production.
pub(in super::super) fn greet(config: &Config, address: &str) {
    if !config.is_production() {
        say(greeting(config, address, password_file(config).try_exists().unwrap_or_default()));
    }
}

fn greeting(config: &Config, address: &str, has_demo: bool) -> String {
    let row = |name: &str, text: &str| format!("  {name:<16}{text}\n");
    let mut rows = String::new();
    if config.console {
        rows += &row("Console", &format!("http://{address}/"));
    }
    rows += &row("API", &format!("http://{address}/api/v1"));
    rows += &row("Documentation", &format!("http://{address}{}/", docs::PATH));
    if config.keeps_mail() {
        rows += &row("Mails", &format!("http://{address}{}", dev_inbox::PATH));
    }
    if has_demo {
        let people = PEOPLE.map(|(first, _, role)| (email(first), format!("{} of `{SLUG}`", role.key())));
        let operator = (OPERATOR.to_owned(), "superuser".to_owned());
        for (place, (email, role)) in people.into_iter().chain([operator]).enumerate() {
            rows += &row(if place == 0 { "Log in as" } else { "" }, &format!("{email:<24}{role}"));
        }
        rows += &row("Password", &format!("in {}", password_file(config).display()));
    } else {
        rows += &row("Demo data", "insula seed demo");
        rows += &row("First superuser", "insula create-superuser --email you@example.com");
    }
    rows += &row("Start over", &start_anew(config));
    format!("\n{rows}")
}

#[cfg(test)]
mod tests {
    use insula_core::runtime::config::Sources;

    use super::*;

    #[test]
    fn the_greeting_lists_demo_logins_and_fits_the_database() {
        let greeting_of = |settings: &[(&str, &str)], has_demo| {
            let config = Config::read(&Sources::only(settings)).unwrap();
            greeting(&config, "127.0.0.1:1", has_demo)
        };
        let demo = greeting_of(&[], true);
        for (person, role) in [
            ("olivia", "owner"),
            ("adam", "admin"),
            ("mia", "member"),
            ("victor", "viewer"),
            ("root", "superuser"),
        ] {
            let line = demo.lines().find(|line| line.contains(person)).unwrap();
            assert!(line.contains(role), "{line}");
        }
        assert!(demo.contains("delete the folder data"), "{demo}");
        let plain = greeting_of(&[("DATABASE_URL", "postgres://insula@127.0.0.1/insula")], false);
        for part in
            ["http://127.0.0.1:1/docs/", "insula seed demo", "insula create-superuser", "migrate fresh"]
        {
            assert!(plain.contains(part), "{part}: {plain}");
        }
        assert!(!plain.contains("delete") && !plain.contains("demo.example"), "{plain}");
    }
}

//! Every setting, in one table: name, default, meaning. Nothing else reads the environment.
//!
//! Defaults < file < `.env` < environment < flags. Each setting is `INSULA_<NAME>` or `INSULA_<NAME>_FILE` (the value
//! stands in that file); `DATABASE_URL`, `RUST_LOG` and `NO_COLOR` keep their usual names.

mod source;
mod value;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub use source::{ConfigError, Source, Sources};
use value::Value;
pub use value::{Environment, PasswordLength};

use crate::secret::Secret;

/// One row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in the environment.
    pub name: &'static str,
    /// Its value when nobody sets it; empty: none.
    pub default: &'static str,
    /// What it does, and its unit.
    pub about: &'static str,
    /// Must its value never be shown?
    pub secret: bool,
}

macro_rules! settings { ($($field:ident: $kind:ty = $name:literal, $default:literal, $about:literal;)+) => {
    /// The settings of one process, read once at start.
    #[derive(Clone)]
    pub struct Config { $(#[doc = $about] pub $field: $kind),+ }

    impl Config {
        /// Every setting, in the order they are shown.
        pub const SETTINGS: &'static [Setting] = &[$(
            Setting { name: $name, default: $default, about: $about, secret: <$kind as Value>::SECRET }
        ),+];

        /// # Errors
        /// Every setting that is unknown, set twice or not readable, one line each.
        pub fn read(sources: &Sources) -> Result<Self, ConfigError> {
            let mut faults = sources.faults(Self::SETTINGS);
            $(let $field = sources.value::<$kind>($name, $default, &mut faults);)+
            match ($($field,)+) {
                ($(Some($field),)+) if faults.is_empty() => Ok(Self { $($field),+ }),
                _ => Err(ConfigError(faults)),
            }
        }
    }
}}

settings! {
    environment: Environment = "INSULA_ENVIRONMENT", "development", "`development` (forgiving, coloured logs) or `production` (refuses what is insecure, JSON logs)";
    bind: SocketAddr = "INSULA_BIND", "127.0.0.1:8080", "Address and port to listen on; port 0 takes a free one";
    public_url: Option<String> = "INSULA_PUBLIC_URL", "", "Where people reach this installation, such as `https://insula.example`; none: the address listened on";
    data_dir: PathBuf = "INSULA_DATA_DIR", "data", "Folder of the SQLite database and of generated secrets";
    database_url: Option<Secret<String>> = "DATABASE_URL", "", "`postgres://…` or `sqlite://…`; none: SQLite in the data folder";
    migration_database_url: Option<Secret<String>> = "INSULA_MIGRATION_DATABASE_URL", "", "The login that owns the tables, used by migrations alone; none: `DATABASE_URL`";
    migrate_on_start: Option<bool> = "INSULA_MIGRATE_ON_START", "", "Apply migrations at start; none: true in development, false in production";
    require_separate_database_login: Option<bool> = "INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "", "Refuse a PostgreSQL login that owns tables or passes row security; none: true in production";
    database_pool_size: u32 = "INSULA_DATABASE_POOL_SIZE", "16", "Most PostgreSQL connections of one process";
    database_acquire_timeout: Duration = "INSULA_DATABASE_ACQUIRE_TIMEOUT", "2", "Seconds a request waits for a connection before 503";
    secret_key: Option<Secret<String>> = "INSULA_SECRET_KEY", "", "At least 32 random bytes, from which all keys are derived; none: made once in the data folder (development only)";
    access_token_ttl: Duration = "INSULA_ACCESS_TOKEN_TTL", "900", "Seconds an access token lives";
    session_ttl: Duration = "INSULA_SESSION_TTL", "2592000", "Seconds a session lives at most";
    session_idle_ttl: Duration = "INSULA_SESSION_IDLE_TTL", "604800", "Seconds a session lives without being refreshed";
    refresh_grace: Duration = "INSULA_REFRESH_GRACE", "10", "Seconds that the refresh token before the current one still gets the current one: for tabs that refresh at once";
    max_sessions: u64 = "INSULA_MAX_SESSIONS", "50", "Most sessions of one person; one more ends the oldest";
    step_up_ttl: Duration = "INSULA_STEP_UP_TTL", "600", "Seconds after a log-in in which password, e-mail address and account may be changed without the password being asked for again";
    personal_organizations: bool = "INSULA_PERSONAL_ORGANIZATIONS", "true", "Give everybody who registers an organization of his own";
    password_min_length: PasswordLength = "INSULA_PASSWORD_MIN_LENGTH", "8", "Fewest characters of a new password: 8 to 64";
    first_superuser_email: Option<String> = "INSULA_FIRST_SUPERUSER_EMAIL", "", "Creates this superuser at start, once";
    first_superuser_password: Option<Secret<String>> = "INSULA_FIRST_SUPERUSER_PASSWORD", "", "The password of that superuser; never resets an existing one";
    max_connections: usize = "INSULA_MAX_CONNECTIONS", "10000", "Most open connections";
    max_connections_per_peer: usize = "INSULA_MAX_CONNECTIONS_PER_PEER", "256", "Most open connections of one address (IPv6: of one /64); raise it behind a proxy";
    drain_delay: Option<Duration> = "INSULA_DRAIN_DELAY", "", "Seconds to go on accepting after SIGTERM, so that load balancers can look away; none: 5 in production, 0 in development";
    drain_timeout: Duration = "INSULA_DRAIN_TIMEOUT", "25", "Seconds that requests in flight may take after that";
    log: String = "RUST_LOG", "info,sqlx=warn,sea_orm_migration=warn,hyper=warn", "Which logs are written, as tracing directives";
    no_color: Option<String> = "NO_COLOR", "", "Set to anything: no colours (no-color.org)";
}

impl Config {
    /// The database's URL; by default SQLite in the data folder.
    pub fn database_url(&self) -> String {
        match &self.database_url {
            Some(url) => url.expose().clone(),
            None => format!("sqlite://{}", self.data_dir.join("insula.db").display()),
        }
    }

    /// The URL that migrations use.
    pub fn migration_url(&self) -> String {
        self.migration_database_url.as_ref().map_or_else(|| self.database_url(), |url| url.expose().clone())
    }

    /// Is this production?
    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }

    /// Are migrations applied at start?
    pub fn migrates_on_start(&self) -> bool {
        self.migrate_on_start.unwrap_or(!self.is_production())
    }

    /// Is a login refused that owns tables or passes row security?
    pub fn requires_separate_database_login(&self) -> bool {
        self.require_separate_database_login.unwrap_or(self.is_production())
    }

    /// How long to go on accepting after SIGTERM.
    pub fn drain_delay(&self) -> Duration {
        self.drain_delay.unwrap_or(Duration::from_secs(if self.is_production() { 5 } else { 0 }))
    }

    /// # Errors
    /// What would make a production installation insecure, one line each. Nothing in development.
    pub fn refuse_insecure(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        if self.is_production() {
            let key = self.secret_key.as_ref().map(|key| key.expose().as_str());
            match key {
                None => faults.push(
                    "INSULA_SECRET_KEY: production needs one; make it with `openssl rand -base64 48`".into(),
                ),
                Some(key) if key.len() < crate::secret::MasterKey::MIN => {
                    faults.push(
                        "INSULA_SECRET_KEY: shorter than 32 bytes; make one with `openssl rand -base64 48`"
                            .into(),
                    );
                }
                Some(key) if is_guessable(key) => {
                    faults
                        .push("INSULA_SECRET_KEY: guessable; make one with `openssl rand -base64 48`".into());
                }
                Some(_) => {}
            }
            match &self.public_url {
                None => faults
                    .push("INSULA_PUBLIC_URL: production needs one, such as https://insula.example".into()),
                Some(url) if !url.starts_with("https://") => {
                    faults.push("INSULA_PUBLIC_URL: production needs https".into());
                }
                Some(_) => {}
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(ConfigError(faults)),
        }
    }
}

/// A key with few different characters, or with a word that examples use.
fn is_guessable(key: &str) -> bool {
    let different = key.chars().collect::<std::collections::HashSet<_>>().len();
    let lower = key.to_lowercase();
    different < 12
        || ["secret", "changeme", "change-me", "password", "example", "insula"]
            .iter()
            .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&Sources::only(settings))
    }

    #[test]
    fn the_defaults_run_the_product() {
        let config = config(&[]).unwrap();
        assert_eq!(config.database_url(), "sqlite://data/insula.db");
        assert!(config.migrates_on_start() && !config.requires_separate_database_login());
        assert!(config.refuse_insecure().is_ok());
    }

    #[test]
    fn production_refuses_what_is_insecure_one_line_each() {
        let good = "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV";
        let faults = |key: &str, url: &str| {
            let settings = [
                ("INSULA_ENVIRONMENT", "production"),
                ("INSULA_SECRET_KEY", key),
                ("INSULA_PUBLIC_URL", url),
            ];
            config(&settings).unwrap().refuse_insecure().map_or_else(|error| error.0.len(), |()| 0)
        };
        assert_eq!(faults(good, "https://insula.example"), 0);
        assert_eq!(faults("", ""), 2);
        assert_eq!(faults("short", "http://insula.example"), 2);
        assert_eq!(faults(&"a".repeat(40), "https://insula.example"), 1);
        assert_eq!(faults("change-me-change-me-change-me-0123456789", "https://insula.example"), 1);
    }

    #[test]
    fn nobody_may_ask_for_short_passwords() {
        let shortest =
            |text| config(&[("INSULA_PASSWORD_MIN_LENGTH", text)]).map(|config| config.password_min_length.0);
        assert_eq!((shortest("8").ok(), shortest("64").ok()), (Some(8), Some(64)));
        assert!(["7", "65", "0", "-8", "eight"].iter().all(|text| shortest(text).is_err()));
    }

    #[test]
    fn every_fault_is_reported_with_its_name() {
        let error = config(&[
            ("INSULA_BIND", "nowhere"),
            ("INSULA_ACCESS_TOKEN_TTL", "soon"),
            ("INSULA_BINT", "127.0.0.1:1"),
        ]);
        let text = error.err().unwrap().to_string();
        for part in
            ["INSULA_BIND:", "INSULA_ACCESS_TOKEN_TTL:", "INSULA_BINT: unknown; did you mean INSULA_BIND?"]
        {
            assert!(text.contains(part), "{text}");
        }
    }
}

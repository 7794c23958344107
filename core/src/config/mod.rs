//! Every setting, in one table: name, default, meaning. Nothing else reads the environment.
//!
//! Defaults < file < `.env` < environment < flags. Each setting is `INSULA_<NAME>` or `INSULA_<NAME>_FILE` (the value
//! stands in that file); `DATABASE_URL`, `REDIS_URL`, `RUST_LOG` and `NO_COLOR` keep their usual names.

mod ca_bundle;
mod database_url;
mod dotenv;
mod host_name;
mod kubernetes;
mod public_url;
mod smtp_url;
mod source;
mod value;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub use ca_bundle::CaBundle;
pub(crate) use ca_bundle::pem;
pub use database_url::DatabaseUrl;
pub use host_name::HostName;
pub use smtp_url::{SmtpTls, SmtpUrl};
pub use source::{ConfigError, Source, Sources};
use value::Value;
pub use value::{CspMode, Environment, Networks, OriginList, PasswordLength, PasswordMemory};

use crate::{
    quota::Quota,
    secret::{MasterKey, Secret},
};

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
    ops_bind: SocketAddr = "INSULA_OPS_BIND", "127.0.0.1:9090", "Address and port of the ops port, for operators alone: `/metrics`, `/livez`, `/readyz`; port 0 takes a free one";
    public_url: Option<String> = "INSULA_PUBLIC_URL", "", "Where people reach this installation, such as `https://insula.example`; none: the address listened on";
    data_dir: PathBuf = "INSULA_DATA_DIR", "data", "Folder of the SQLite database and of generated secrets";
    database_url: Option<DatabaseUrl> = "DATABASE_URL", "", "`postgres://user:password@host:5432/database`, or `sqlite://data/insula.db` (relative; `sqlite:///var/lib/insula/insula.db` is absolute), with special characters percent-encoded; none: SQLite in the data folder";
    migration_database_url: Option<DatabaseUrl> = "INSULA_MIGRATION_DATABASE_URL", "", "The login that owns the tables, used by migrations alone; none: `DATABASE_URL`";
    migrate_on_start: Option<bool> = "INSULA_MIGRATE_ON_START", "", "Apply migrations at start; none: true in development, false in production";
    require_separate_database_login: Option<bool> = "INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "", "Refuse a PostgreSQL login that owns tables or passes row security; none: true in production";
    database_pool_size: u32 = "INSULA_DATABASE_POOL_SIZE", "16", "Most PostgreSQL connections of one process";
    database_acquire_timeout: Duration = "INSULA_DATABASE_ACQUIRE_TIMEOUT", "2", "Seconds a request waits for a connection, or for rows that another one changes, before 503";
    redis_url: Option<Secret<String>> = "REDIS_URL", "", "`redis://…` or `rediss://…`: tells the other processes at once who logged out and what he may no longer do; none: they notice within a second";
    ca: Option<CaBundle> = "INSULA_CA", "", "Certificates (PEM) of authorities that vouch for mail server, Redis and PostgreSQL, besides Mozilla's and those of the operating system; usually the path of a file as `INSULA_CA_FILE`. PostgreSQL is asked for one with `?sslmode=verify-full`";
    session_cache_ttl: Duration = "INSULA_SESSION_CACHE_TTL", "1", "Seconds that a read may believe in a session and in what its person may do without asking the database, unless a change is announced; 0 asks each time, production refuses more than 1";
    secret_key: Option<Secret<String>> = "INSULA_SECRET_KEY", "", "At least 32 random bytes, from which keys are derived, and by which those that sign are wrapped; none: made once in the data folder (development only)";
    secret_key_previous: Option<Secret<String>> = "INSULA_SECRET_KEY_PREVIOUS", "", "The key before a change of `INSULA_SECRET_KEY`: what it made is still accepted";
    access_token_ttl: Duration = "INSULA_ACCESS_TOKEN_TTL", "900", "Seconds an access token lives";
    key_rotation: Duration = "INSULA_KEY_ROTATION", "7776000", "Seconds the key of access tokens signs before its successor is published";
    key_lead: Duration = "INSULA_KEY_LEAD", "600", "Seconds a new key is published before it signs; longer than `INSULA_KEY_RELOAD`, and than others cache the published keys";
    key_reload: Duration = "INSULA_KEY_RELOAD", "60", "Seconds between two looks for changed keys: a key removed elsewhere is accepted no longer than that";
    session_ttl: Duration = "INSULA_SESSION_TTL", "2592000", "Seconds a session lives at most";
    session_idle_ttl: Duration = "INSULA_SESSION_IDLE_TTL", "604800", "Seconds a session lives without being refreshed";
    refresh_grace: Duration = "INSULA_REFRESH_GRACE", "10", "Seconds that the refresh token before the current one still gets the current one: for tabs that refresh at once";
    cookie_domain: Option<String> = "INSULA_COOKIE_DOMAIN", "", "The domain whose hosts share the cookies of a browser, such as `insula.example`; none: the host of `INSULA_PUBLIC_URL` alone";
    trusted_origins: Option<OriginList> = "INSULA_TRUSTED_ORIGINS", "", "Origins besides our own whose pages may act with those cookies and read the answers (CORS), such as `https://console.insula.example`, separated by commas";
    csp_mode: CspMode = "INSULA_CSP_MODE", "strict", "What pages may do in a browser (Content-Security-Policy): `strict` (only what they need), `relaxed` (also styles in line, and images, fonts and requests elsewhere by https) or `disabled` (says nothing: what stands in front has its own)";
    max_sessions: u64 = "INSULA_MAX_SESSIONS", "50", "Most sessions of one person; one more ends the oldest";
    step_up_ttl: Duration = "INSULA_STEP_UP_TTL", "600", "Seconds after a log-in in which the e-mail address may be changed, the account deleted and owners made without the password being asked for again";
    password_min_length: PasswordLength = "INSULA_PASSWORD_MIN_LENGTH", "8", "Fewest characters of a new password: 8 to 64";
    password_memory: PasswordMemory = "INSULA_PASSWORD_MEMORY", "19456", "KiB of memory that the hash of a password takes (Argon2id, two passes): up to 65536; production refuses fewer than 19456. Older hashes are made anew at the next log-in";
    max_organizations: u64 = "INSULA_MAX_ORGANIZATIONS", "20", "Most organizations that one person may own before founding another; operators may give them more";
    personal_organizations: bool = "INSULA_PERSONAL_ORGANIZATIONS", "true", "Give everybody who registers an organization of his own";
    smtp_url: Option<SmtpUrl> = "INSULA_SMTP_URL", "", "`smtp://user:password@host:port` (STARTTLS; `?tls=opportunistic` or `?tls=none` asks for less) or `smtps://…`, where mail is handed over; with it, new accounts must verify their address. None: `INSULA_MAIL_FOLDER`; without both no mail leaves, accounts verify themselves, and development shows the mails at `/dev/mail`";
    mail_folder: Option<PathBuf> = "INSULA_MAIL_FOLDER", "", "Folder that mails are written to as files, where `INSULA_SMTP_URL` is not set; with it, new accounts must verify their address";
    mail_from: Option<String> = "INSULA_MAIL_FROM", "", "Whom mails are from, such as `Acme <hello@acme.example>`; none: `Insula <no-reply@…>` at `INSULA_MAIL_DOMAIN`";
    mail_domain: Option<HostName> = "INSULA_MAIL_DOMAIN", "", "The domain in the `Message-ID` of mails, such as `acme.example`; none: the host of `INSULA_PUBLIC_URL`";
    mail_helo: Option<HostName> = "INSULA_MAIL_HELO", "", "The name given to the mail server (EHLO), such as `app1.acme.example`; none: `INSULA_MAIL_DOMAIN`, or the name of this machine where that is no full name";
    mail_connections: u32 = "INSULA_MAIL_CONNECTIONS", "32", "Most connections of one process to the mail server";
    mail_templates: Option<PathBuf> = "INSULA_MAIL_TEMPLATES", "", "Folder whose files replace the templates of mails, such as `en/verify.html`; those that are not there stay as they are";
    abuse_contact: Option<String> = "INSULA_ABUSE_CONTACT", "", "Where people who are invited against their will report it, as their mail says; none: `abuse@…` at `INSULA_MAIL_DOMAIN`";
    hide_existing_accounts: Option<bool> = "INSULA_HIDE_EXISTING_ACCOUNTS", "", "Answer alike whether an address has an account or not, and tell its owner by mail; nobody logs in before the address is verified; needs `INSULA_SMTP_URL` or `INSULA_MAIL_FOLDER`; none: true in production with one of them";
    verify_ttl: Duration = "INSULA_VERIFY_TTL", "86400", "Seconds the mailed link lives that verifies an address";
    reset_ttl: Duration = "INSULA_RESET_TTL", "1800", "Seconds the mailed link lives that sets a new password";
    email_change_ttl: Duration = "INSULA_EMAIL_CHANGE_TTL", "86400", "Seconds the link lives that confirms a new address";
    email_undo_ttl: Duration = "INSULA_EMAIL_UNDO_TTL", "604800", "Seconds the link lives that undoes a change of the address";
    invitation_ttl: Duration = "INSULA_INVITATION_TTL", "604800", "Seconds an invitation can be accepted, after which it has to be sent again";
    job_retention: Duration = "INSULA_JOB_RETENTION", "604800", "Seconds after which jobs that are done or cancelled are forgotten; those given up are kept for 30 days at least";
    email_retention: Duration = "INSULA_EMAIL_RETENTION", "2592000", "Seconds after the last attempt for which it is known what became of a mail";
    worker_concurrency: usize = "INSULA_WORKER_CONCURRENCY", "32", "Most jobs that one process does at a time";
    first_superuser_email: Option<String> = "INSULA_FIRST_SUPERUSER_EMAIL", "", "Creates this superuser at start, once";
    first_superuser_password: Option<Secret<String>> = "INSULA_FIRST_SUPERUSER_PASSWORD", "", "The password of that superuser; never resets an existing one";
    max_connections: usize = "INSULA_MAX_CONNECTIONS", "10000", "Most open connections";
    max_requests: usize = "INSULA_MAX_REQUESTS", "256", "Most requests worked on at a time, half of them from one address; more are answered 503 at once. Each may hold 1 MiB of body";
    max_connections_per_peer: usize = "INSULA_MAX_CONNECTIONS_PER_PEER", "256", "Most open connections of one address (IPv6: of one /64); raise it behind a proxy";
    trusted_proxies: Option<Networks> = "INSULA_TRUSTED_PROXIES", "", "Networks of the proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`, separated by commas; none: the peer is the client";
    redis_deadline: Duration = "INSULA_REDIS_DEADLINE", "0.05", "Seconds that a request waits for Redis to count it; then each server allows its own part";
    replicas: u32 = "INSULA_REPLICAS", "1", "How many servers share the limits where no Redis counts for them all: each allows its part";
    limit_address: Quota = "INSULA_LIMIT_ADDRESS", "3000/min", "Requests from one address (IPv6: from one /64), whatever they ask for";
    limit_log_in: Quota = "INSULA_LIMIT_LOG_IN", "10/min", "Log-ins from one address";
    limit_guesses: Quota = "INSULA_LIMIT_GUESSES", "5/15min", "Wrong passwords of one account before whoever goes on guessing waits, for at most a minute each time; where somebody logged in before, he waits for his own alone";
    limit_register: Quota = "INSULA_LIMIT_REGISTER", "5/min", "Registrations from one address";
    limit_refresh: Quota = "INSULA_LIMIT_REFRESH", "30/min", "Refreshes of one session";
    limit_reset: Quota = "INSULA_LIMIT_RESET", "3/min", "Requests for mailed links from one address";
    limit_mailbox: Quota = "INSULA_LIMIT_MAILBOX", "3/h", "Requests for mailed links to one mailbox";
    limit_confirm: Quota = "INSULA_LIMIT_CONFIRM", "5/min", "Uses of mailed links from one address";
    limit_read: Quota = "INSULA_LIMIT_READ", "600/min", "Reads of one person";
    limit_write: Quota = "INSULA_LIMIT_WRITE", "120/min", "Writes of one person";
    limit_mail: Quota = "INSULA_LIMIT_MAIL", "300/h", "Invitations of one organization";
    limit_inviter: Quota = "INSULA_LIMIT_INVITER", "300/h", "Invitations of one person, in all organizations together";
    limit_new_inviter: Quota = "INSULA_LIMIT_NEW_INVITER", "20/h", "The same, while the account is younger than `INSULA_NEW_ACCOUNT_AGE`";
    new_account_age: Duration = "INSULA_NEW_ACCOUNT_AGE", "259200", "Seconds for which an account is new";
    limit_bulk: Quota = "INSULA_LIMIT_BULK", "10/min", "Bulk requests of one organization";
    limit_export: Quota = "INSULA_LIMIT_EXPORT", "10/h", "Exports of one organization";
    limit_admin: Quota = "INSULA_LIMIT_ADMIN", "300/min", "What one operator does for the platform";
    limit_sending: Quota = "INSULA_LIMIT_SENDING", "500/h", "Mails that workers send for one organization; the others wait, and none is lost";
    limit_recipient: Quota = "INSULA_LIMIT_RECIPIENT", "30/h", "Mails that workers send to one mailbox; the others wait, and none is lost";
    drain_delay: Option<Duration> = "INSULA_DRAIN_DELAY", "", "Seconds to go on accepting after SIGTERM, so that load balancers can look away; none: 5 in production, 0 in development";
    drain_timeout: Duration = "INSULA_DRAIN_TIMEOUT", "25", "Seconds that requests in flight may take after that";
    log: String = "RUST_LOG", "info,sqlx=warn,sea_orm_migration=warn,hyper=warn", "Which logs are written, as tracing directives";
    no_color: Option<String> = "NO_COLOR", "", "Set to anything: no colours (no-color.org)";
}

impl Config {
    /// The database's URL; by default SQLite in the data folder.
    pub fn database_url(&self) -> String {
        match &self.database_url {
            Some(url) => ca_bundle::trusting(url.expose().clone(), self.ca.as_ref()),
            None => DatabaseUrl::of_file(&self.data_dir.join("insula.db")),
        }
    }

    /// The URL that migrations use.
    pub fn migration_url(&self) -> String {
        match &self.migration_database_url {
            Some(url) => ca_bundle::trusting(url.expose().clone(), self.ca.as_ref()),
            None => self.database_url(),
        }
    }

    /// The setting that says which database migrations use.
    pub fn migration_setting(&self) -> &'static str {
        match self.migration_database_url {
            Some(_) => "INSULA_MIGRATION_DATABASE_URL",
            None => "DATABASE_URL",
        }
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

    /// How often to look for changed keys; never so often that looking is all a process does.
    pub fn key_reload(&self) -> Duration {
        self.key_reload.max(Duration::from_millis(100))
    }

    /// Is it hidden which addresses have an account?
    pub fn hides_existing_accounts(&self) -> bool {
        self.hide_existing_accounts.unwrap_or(self.is_production() && self.sends_mail())
    }

    /// Does mail leave this installation? Then new accounts must verify their address.
    pub fn sends_mail(&self) -> bool {
        self.smtp_url.is_some() || self.mail_folder.is_some()
    }

    /// Are mails kept in memory, to be looked at? In development, while none leaves.
    pub fn keeps_mail(&self) -> bool {
        !self.sends_mail() && !self.is_production()
    }

    /// # Errors
    /// What would make a production installation insecure, what nobody could register with, and addresses that do not fit
    /// each other, one line each.
    pub fn refuse_insecure(&self) -> Result<(), ConfigError> {
        let mut faults = public_url::faults(self.public_url.as_deref(), self.cookie_domain.as_deref());
        if self.hides_existing_accounts() && !self.sends_mail() {
            faults.push(
                "INSULA_HIDE_EXISTING_ACCOUNTS: needs INSULA_SMTP_URL or INSULA_MAIL_FOLDER; without mail nobody learns whether he has an account".into(),
            );
        }
        if self.is_production() {
            match &self.secret_key {
                None => faults.push(format!("INSULA_SECRET_KEY: production needs one; {MAKE_A_KEY}")),
                Some(key) => faults.extend(weakness("INSULA_SECRET_KEY", key.expose())),
            }
            let previous = self.secret_key_previous.as_ref();
            faults.extend(previous.and_then(|key| weakness("INSULA_SECRET_KEY_PREVIOUS", key.expose())));
            match &self.public_url {
                None => faults
                    .push("INSULA_PUBLIC_URL: production needs one, such as https://insula.example".into()),
                Some(url) if !url.starts_with("https://") => {
                    faults.push("INSULA_PUBLIC_URL: production needs https".into());
                }
                Some(_) => {}
            }
            if self.password_memory.0 < PasswordMemory::SAFE {
                faults.push("INSULA_PASSWORD_MEMORY: production needs 19456 or more, so that passwords are dear to guess".into());
            }
            if self.session_cache_ttl > Duration::from_secs(1) {
                faults.push("INSULA_SESSION_CACHE_TTL: production needs 1 or less, so that who is logged out is out within a second".into());
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(ConfigError(faults)),
        }
    }
}

const MAKE_A_KEY: &str = "make it with `openssl rand -base64 48`";

/// Why production does not accept a master key, if it does not.
fn weakness(name: &str, key: &str) -> Option<String> {
    let fault = match () {
        () if key.len() < MasterKey::MIN => "shorter than 32 bytes",
        () if is_guessable(key) => "guessable",
        () => return None,
    };
    Some(format!("{name}: {fault}; {MAKE_A_KEY}"))
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
mod tests;

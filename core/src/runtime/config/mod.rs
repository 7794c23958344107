//! All settings, in one table: name, default, meaning. No other module reads the environment.
//!
//! Precedence: defaults < file < `.env` < environment < flags. Each setting is `INSULA_<NAME>` or `INSULA_<NAME>_FILE`
//! (the value is read from that file); `DATABASE_URL`, `REDIS_URL`, `RUST_LOG`, `NO_COLOR` and `OTEL_*` keep their usual names.

mod branding;
mod ca_bundle;
mod database_url;
mod dotenv;
mod host_name;
mod kubernetes;
mod otlp;
mod public_url;
mod smtp_url;
mod source;
mod value;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub use branding::{Logo, LogoFormat};
pub use ca_bundle::CaBundle;
pub(crate) use ca_bundle::pem;
pub use database_url::DatabaseUrl;
pub use host_name::HostName;
pub use otlp::{
    Milliseconds, OtlpEndpoint, OtlpHeaders, OtlpProtocol, ResourceAttributes, RootSampler, SamplingRatio,
    SignalExporter, TraceSampler,
};
pub use smtp_url::{SmtpTls, SmtpUrl};
pub use source::{ConfigError, SettingSource, Sources};
use value::Value;
pub use value::{CspMode, Environment, Networks, OriginList, PasswordLength, PasswordMemory, ProductName};

use crate::base::{
    accent::Accent,
    crypto::{MasterKey, Secret},
    rate::Rate,
};

/// One row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name in the environment.
    pub name: &'static str,
    /// Value if it is not set; empty if there is no default.
    pub default: &'static str,
    /// Meaning and unit, for people.
    pub about: &'static str,
    /// Is the value secret, so that it is never shown?
    pub secret: bool,
}

macro_rules! settings { ($($field:ident: $kind:ty = $name:literal, $default:literal, $about:literal;)+) => {
    /// The settings of one process, read once at start.
    #[derive(Clone)]
    pub struct Config { $(#[doc = $about] pub $field: $kind),+ }

    impl Config {
        /// All settings, in display order.
        pub const SETTINGS: &'static [Setting] = &[$(
            Setting { name: $name, default: $default, about: $about, secret: <$kind as Value>::SECRET }
        ),+];

        /// # Errors
        /// One line for each setting that is unknown, set twice or invalid.
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
    environment: Environment = "INSULA_ENVIRONMENT", "development", "`development` (permissive, coloured logs) or `production` (refuses insecure settings, JSON logs)";
    product_name: ProductName = "INSULA_PRODUCT_NAME", "Insula", "Name of the product in e-mails, on pages and in the web console: 1 to 50 characters";
    logo_file: Option<Logo> = "INSULA_LOGO_FILE", "", "Path of the logo on pages, in the web console and in e-mails: a PNG image, or an SVG image (not shown in e-mails), of at most 64 KiB";
    accent_color: Option<Accent> = "INSULA_ACCENT_COLOR", "", "Colour of buttons and links on pages, in the web console and in e-mails, such as `#7a1f5c`; darkened in the light theme and lightened in the dark theme as far as readable contrast needs";
    bind: SocketAddr = "INSULA_BIND", "127.0.0.1:8080", "IP address and port to listen on; port 0 picks a free port";
    ops_bind: SocketAddr = "INSULA_OPS_BIND", "127.0.0.1:9090", "IP address and port of the ops port, which is for operators only: `/metrics`, `/livez`, `/readyz`; port 0 picks a free port";
    public_url: Option<String> = "INSULA_PUBLIC_URL", "", "Public URL of this installation, such as `https://insula.example`; if unset, the URL of the listen address";
    data_dir: PathBuf = "INSULA_DATA_DIR", "data", "Folder for the SQLite database and generated secrets";
    database_url: Option<DatabaseUrl> = "DATABASE_URL", "", "`postgres://user:password@host:5432/database`, or `sqlite://data/insula.db` (relative; `sqlite:///var/lib/insula/insula.db` is absolute), with special characters percent-encoded; if unset, SQLite in the data folder";
    migration_database_url: Option<DatabaseUrl> = "INSULA_MIGRATION_DATABASE_URL", "", "Database URL with the login that owns the tables, used for migrations only; if unset, `DATABASE_URL`";
    migrate_on_start: Option<bool> = "INSULA_MIGRATE_ON_START", "", "Apply migrations at start; if unset, true in development and false in production";
    require_separate_database_login: Option<bool> = "INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "", "Refuse a PostgreSQL login that owns tables or bypasses row-level security; if unset, true in production";
    database_pool_size: u32 = "INSULA_DATABASE_POOL_SIZE", "16", "Maximum PostgreSQL connections of one process";
    database_acquire_timeout: Duration = "INSULA_DATABASE_ACQUIRE_TIMEOUT", "2", "Seconds a request waits for a database connection, or for rows locked by another request, before it is answered with 503";
    redis_url: Option<Secret<String>> = "REDIS_URL", "", "`redis://…` or `rediss://…`: shared cache invalidation, rate limits and job wake-ups; if unset, other processes notice ended sessions and changed permissions within a second";
    ca: Option<CaBundle> = "INSULA_CA", "", "Additional certificate authorities (PEM) for the mail server, Redis and PostgreSQL, besides Mozilla's and those of the operating system; usually set as the path of a file in `INSULA_CA_FILE`. The certificate of PostgreSQL is verified only with `?sslmode=verify-full`";
    session_cache_ttl: Duration = "INSULA_SESSION_CACHE_TTL", "1", "Seconds for which reads use cached sessions and permissions without asking the database, unless a change is announced; 0 disables the cache, production allows at most 1";
    secret_key: Option<Secret<String>> = "INSULA_SECRET_KEY", "", "At least 32 random bytes, from which other keys are derived and with which signing keys are encrypted; if unset, generated once in the data folder (development only)";
    secret_key_previous: Option<Secret<String>> = "INSULA_SECRET_KEY_PREVIOUS", "", "The key before a change of `INSULA_SECRET_KEY`; tokens and keys made with it are still accepted";
    access_token_ttl: Duration = "INSULA_ACCESS_TOKEN_TTL", "900", "Lifetime of an access token, in seconds";
    key_rotation: Duration = "INSULA_KEY_ROTATION", "7776000", "Seconds for which a key signs access tokens before its successor is published";
    key_lead: Duration = "INSULA_KEY_LEAD", "600", "Seconds for which a new key is published before it signs; must be longer than `INSULA_KEY_RELOAD`, and longer than other services cache the published keys";
    key_reload: Duration = "INSULA_KEY_RELOAD", "60", "Seconds between two checks for changed keys; a key that another process removed is accepted for at most that long";
    session_ttl: Duration = "INSULA_SESSION_TTL", "2592000", "Maximum lifetime of a session, in seconds";
    session_idle_ttl: Duration = "INSULA_SESSION_IDLE_TTL", "604800", "Seconds after which a session ends if it is not refreshed";
    refresh_grace: Duration = "INSULA_REFRESH_GRACE", "10", "Seconds for which the previous refresh token still returns the current one, for browser tabs that refresh at the same time";
    cookie_domain: Option<String> = "INSULA_COOKIE_DOMAIN", "", "Domain whose hosts share the cookies of a browser, such as `insula.example`; if unset, only the host of `INSULA_PUBLIC_URL`";
    trusted_origins: Option<OriginList> = "INSULA_TRUSTED_ORIGINS", "", "Additional origins whose pages may use the cookies and read the responses (CORS), such as `https://console.insula.example`, separated by commas";
    console: bool = "INSULA_CONSOLE", "true", "Serve the web console; if false, `/` is a page with links to the documentation";
    csp_mode: CspMode = "INSULA_CSP_MODE", "strict", "Content-Security-Policy of pages: `strict` (only what the pages need), `relaxed` (also inline styles, and images, fonts and requests from elsewhere over https) or `disabled` (no header, for a reverse proxy that sets its own)";
    max_sessions: u64 = "INSULA_MAX_SESSIONS", "50", "Maximum sessions of one user; one more ends the oldest";
    step_up_ttl: Duration = "INSULA_STEP_UP_TTL", "600", "Seconds after a log-in in which users can change their e-mail address, delete their account and add owners without entering their password again";
    password_min_length: PasswordLength = "INSULA_PASSWORD_MIN_LENGTH", "8", "Minimum length of a new password, in characters: 8 to 64";
    password_memory: PasswordMemory = "INSULA_PASSWORD_MEMORY", "19456", "KiB of memory for each password hash (Argon2id with two passes), from 8 to 65536. Production requires at least 19456. Older hashes are replaced at the next login";
    max_organizations: u64 = "INSULA_MAX_ORGANIZATIONS", "20", "Maximum organizations that one user can own before creating another; superusers can give them more";
    personal_organizations: bool = "INSULA_PERSONAL_ORGANIZATIONS", "true", "Create a personal organization at registration";
    smtp_url: Option<SmtpUrl> = "INSULA_SMTP_URL", "", "Mail server: `smtp://user:password@host:port` (STARTTLS; less strict with `?tls=opportunistic` or `?tls=none`) or `smtps://…`; if set, new accounts must verify their e-mail address. If unset, `INSULA_MAIL_FOLDER`. Without both, no e-mail is sent, accounts are verified automatically, and development shows the e-mails at `/dev/mail`";
    mail_folder: Option<PathBuf> = "INSULA_MAIL_FOLDER", "", "Folder to which e-mails are written as files if `INSULA_SMTP_URL` is not set; if set, new accounts must verify their e-mail address";
    mail_from: Option<String> = "INSULA_MAIL_FROM", "", "Sender of e-mails, such as `Acme <hello@acme.example>`; if unset, `INSULA_PRODUCT_NAME` and `no-reply@…` at `INSULA_MAIL_DOMAIN`";
    mail_domain: Option<HostName> = "INSULA_MAIL_DOMAIN", "", "Domain in the `Message-ID` of e-mails, such as `acme.example`; if unset, the host of `INSULA_PUBLIC_URL`";
    mail_helo: Option<HostName> = "INSULA_MAIL_HELO", "", "Host name sent to the mail server (EHLO), such as `app1.acme.example`; if unset, `INSULA_MAIL_DOMAIN`, or the name of this machine if that is not a full host name";
    mail_connections: u32 = "INSULA_MAIL_CONNECTIONS", "32", "Maximum connections of one process to the mail server";
    mail_templates: Option<PathBuf> = "INSULA_MAIL_TEMPLATES", "", "Folder with files that replace e-mail templates, such as `en/verify.html`; templates without a file there keep their default";
    abuse_contact: Option<String> = "INSULA_ABUSE_CONTACT", "", "Where recipients can report unwanted invitations, as stated in the invitation e-mail; if unset, `abuse@…` at `INSULA_MAIL_DOMAIN`";
    hide_existing_accounts: Option<bool> = "INSULA_HIDE_EXISTING_ACCOUNTS", "", "Give the same response whether an e-mail address has an account or not, and inform its owner by e-mail; users cannot log in before they have verified their e-mail address; needs `INSULA_SMTP_URL` or `INSULA_MAIL_FOLDER`; if unset, true in production with one of them";
    verify_ttl: Duration = "INSULA_VERIFY_TTL", "86400", "Lifetime of the link that verifies an e-mail address, in seconds";
    reset_ttl: Duration = "INSULA_RESET_TTL", "1800", "Lifetime of the link that sets a new password, in seconds";
    email_change_ttl: Duration = "INSULA_EMAIL_CHANGE_TTL", "86400", "Lifetime of the link that confirms a new e-mail address, in seconds";
    email_undo_ttl: Duration = "INSULA_EMAIL_UNDO_TTL", "604800", "Lifetime of the link that undoes a change of the e-mail address, in seconds";
    invitation_ttl: Duration = "INSULA_INVITATION_TTL", "604800", "Seconds for which an invitation can be accepted; after that it must be sent again";
    job_retention: Duration = "INSULA_JOB_RETENTION", "604800", "Seconds after which finished or cancelled jobs are deleted; dead jobs are kept for at least 30 days";
    email_retention: Duration = "INSULA_EMAIL_RETENTION", "2592000", "Seconds for which the delivery status of an e-mail is kept after the last attempt";
    worker_concurrency: usize = "INSULA_WORKER_CONCURRENCY", "32", "Maximum jobs that one process runs at the same time";
    first_superuser_email: Option<String> = "INSULA_FIRST_SUPERUSER_EMAIL", "", "E-mail address of a superuser that is created once, at start";
    first_superuser_password: Option<Secret<String>> = "INSULA_FIRST_SUPERUSER_PASSWORD", "", "Password of that superuser; never changes the password of an existing account";
    max_connections: usize = "INSULA_MAX_CONNECTIONS", "10000", "Maximum open connections";
    max_requests: usize = "INSULA_MAX_REQUESTS", "256", "Maximum requests handled at the same time, at most half of them from one IP address; further requests are answered with 503 immediately. Each request can use 1 MiB of memory for its body";
    max_connections_per_peer: usize = "INSULA_MAX_CONNECTIONS_PER_PEER", "256", "Maximum open connections of one IP address (IPv6: of one /64); raise it behind a proxy";
    trusted_proxies: Option<Networks> = "INSULA_TRUSTED_PROXIES", "", "Networks of proxies whose `X-Forwarded-For` is trusted, such as `10.0.0.0/8`, separated by commas; if unset, the peer is the client";
    redis_timeout: Duration = "INSULA_REDIS_TIMEOUT", "0.05", "Seconds that a request waits for Redis to count it; after that, each server applies its own share of the limit";
    replicas: u32 = "INSULA_REPLICAS", "1", "Number of servers that share the rate limits if Redis does not count for all of them; each applies its share";
    limit_address: Rate = "INSULA_LIMIT_ADDRESS", "3000/min", "All requests from one IP address (IPv6: from one /64)";
    limit_log_in: Rate = "INSULA_LIMIT_LOG_IN", "10/min", "Log-ins from one IP address";
    limit_failed_logins: Rate = "INSULA_LIMIT_FAILED_LOGINS", "5/15min", "Wrong passwords for one account before further attempts must wait, for at most one minute each time; a device on which the user logged in before is counted separately";
    limit_register: Rate = "INSULA_LIMIT_REGISTER", "5/min", "Registrations from one IP address";
    limit_refresh: Rate = "INSULA_LIMIT_REFRESH", "30/min", "Refreshes of one session";
    limit_reset: Rate = "INSULA_LIMIT_RESET", "3/min", "Requests for e-mailed links from one IP address";
    limit_mailbox: Rate = "INSULA_LIMIT_MAILBOX", "3/h", "Requests for e-mailed links to one e-mail address";
    limit_email_links: Rate = "INSULA_LIMIT_EMAIL_LINKS", "5/min", "Uses of e-mailed links from one IP address";
    limit_read: Rate = "INSULA_LIMIT_READ", "600/min", "Read requests of one user";
    limit_write: Rate = "INSULA_LIMIT_WRITE", "120/min", "Write requests of one user";
    limit_invitations: Rate = "INSULA_LIMIT_INVITATIONS", "300/h", "Invitations of one organization";
    limit_inviter: Rate = "INSULA_LIMIT_INVITER", "300/h", "Invitations sent by one user, in all organizations together";
    limit_new_inviter: Rate = "INSULA_LIMIT_NEW_INVITER", "20/h", "Invitations sent by one user whose account is younger than `INSULA_NEW_ACCOUNT_AGE`";
    new_account_age: Duration = "INSULA_NEW_ACCOUNT_AGE", "259200", "Seconds for which an account counts as new";
    limit_bulk: Rate = "INSULA_LIMIT_BULK", "10/min", "Bulk requests of one organization";
    limit_export: Rate = "INSULA_LIMIT_EXPORT", "10/h", "Exports of one organization";
    limit_admin: Rate = "INSULA_LIMIT_ADMIN", "300/min", "Platform administration requests of one superuser";
    limit_organization_emails: Rate = "INSULA_LIMIT_ORGANIZATION_EMAILS", "500/h", "E-mails that workers send for one organization; further e-mails are delayed, not lost";
    limit_recipient_emails: Rate = "INSULA_LIMIT_RECIPIENT_EMAILS", "30/h", "E-mails that workers send to one e-mail address; further e-mails are delayed, not lost";
    drain_delay: Option<Duration> = "INSULA_DRAIN_DELAY", "", "Seconds for which new connections are still accepted after SIGTERM, so that load balancers can take the server out of rotation; if unset, 5 in production and 0 in development";
    drain_timeout: Duration = "INSULA_DRAIN_TIMEOUT", "25", "Seconds that requests in progress can take after that";
    otel_disabled: bool = "OTEL_SDK_DISABLED", "false", "`true` exports nothing over OTLP, whatever the other `OTEL_*` settings are";
    otel_service_name: Option<String> = "OTEL_SERVICE_NAME", "", "Name of this service in traces, metrics and logs; if unset, `service.name` of `OTEL_RESOURCE_ATTRIBUTES`, or `insula`";
    otel_resource_attributes: Option<ResourceAttributes> = "OTEL_RESOURCE_ATTRIBUTES", "", "Attributes of this process in traces, metrics and logs, such as `deployment.environment.name=production,service.namespace=acme`, with percent-encoded values";
    otlp_endpoint: Option<OtlpEndpoint> = "OTEL_EXPORTER_OTLP_ENDPOINT", "", "OpenTelemetry collector that receives traces, metrics and logs, such as `http://localhost:4318`; with `http/protobuf`, `/v1/traces`, `/v1/metrics` and `/v1/logs` are appended. If unset, nothing is exported";
    otlp_traces_endpoint: Option<OtlpEndpoint> = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "", "Complete URL that receives traces; if unset, `OTEL_EXPORTER_OTLP_ENDPOINT`";
    otlp_metrics_endpoint: Option<OtlpEndpoint> = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "", "Complete URL that receives metrics; if unset, `OTEL_EXPORTER_OTLP_ENDPOINT`";
    otlp_logs_endpoint: Option<OtlpEndpoint> = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "", "Complete URL that receives logs; if unset, `OTEL_EXPORTER_OTLP_ENDPOINT`";
    otlp_protocol: OtlpProtocol = "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "`grpc` (usually port 4317) or `http/protobuf` (usually port 4318)";
    otlp_traces_protocol: Option<OtlpProtocol> = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "", "The same for traces; if unset, `OTEL_EXPORTER_OTLP_PROTOCOL`";
    otlp_metrics_protocol: Option<OtlpProtocol> = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "", "The same for metrics; if unset, `OTEL_EXPORTER_OTLP_PROTOCOL`";
    otlp_logs_protocol: Option<OtlpProtocol> = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "", "The same for logs; if unset, `OTEL_EXPORTER_OTLP_PROTOCOL`";
    otlp_headers: Option<OtlpHeaders> = "OTEL_EXPORTER_OTLP_HEADERS", "", "HTTP headers of each export, such as `authorization=Bearer%20…`, separated by commas, with percent-encoded values";
    otlp_traces_headers: Option<OtlpHeaders> = "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "", "The same for traces; if unset, `OTEL_EXPORTER_OTLP_HEADERS`";
    otlp_metrics_headers: Option<OtlpHeaders> = "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "", "The same for metrics; if unset, `OTEL_EXPORTER_OTLP_HEADERS`";
    otlp_logs_headers: Option<OtlpHeaders> = "OTEL_EXPORTER_OTLP_LOGS_HEADERS", "", "The same for logs; if unset, `OTEL_EXPORTER_OTLP_HEADERS`";
    otlp_timeout: Milliseconds = "OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "Milliseconds after which an export to a collector that does not respond is given up";
    otlp_traces_timeout: Option<Milliseconds> = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "", "The same for traces; if unset, `OTEL_EXPORTER_OTLP_TIMEOUT`";
    otlp_metrics_timeout: Option<Milliseconds> = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "", "The same for metrics; if unset, `OTEL_EXPORTER_OTLP_TIMEOUT`";
    otlp_logs_timeout: Option<Milliseconds> = "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "", "The same for logs; if unset, `OTEL_EXPORTER_OTLP_TIMEOUT`";
    otel_traces_exporter: SignalExporter = "OTEL_TRACES_EXPORTER", "otlp", "`none` exports no traces";
    otel_metrics_exporter: SignalExporter = "OTEL_METRICS_EXPORTER", "otlp", "`none` exports no metrics over OTLP; the ops port always serves them";
    otel_logs_exporter: SignalExporter = "OTEL_LOGS_EXPORTER", "otlp", "`none` exports no logs over OTLP; they are always on stderr";
    otel_traces_sampler: TraceSampler = "OTEL_TRACES_SAMPLER", "parentbased_always_on", "Which traces are exported: `always_on`, `always_off`, `traceidratio`, or one of them with the prefix `parentbased_`, which follows the decision of a client that sent `traceparent`";
    otel_traces_sampler_arg: SamplingRatio = "OTEL_TRACES_SAMPLER_ARG", "1", "Share of traces that `traceidratio` exports, from 0 to 1";
    span_delay: Milliseconds = "OTEL_BSP_SCHEDULE_DELAY", "5000", "Maximum milliseconds until a finished span is exported";
    span_queue: usize = "OTEL_BSP_MAX_QUEUE_SIZE", "2048", "Maximum finished spans that wait for their export; further ones are dropped and counted";
    span_batch: usize = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", "Maximum spans of one export";
    log_delay: Milliseconds = "OTEL_BLRP_SCHEDULE_DELAY", "1000", "Maximum milliseconds until a log line is exported";
    log_queue: usize = "OTEL_BLRP_MAX_QUEUE_SIZE", "2048", "Maximum log lines that wait for their export; further ones are dropped and counted";
    log_batch: usize = "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "512", "Maximum log lines of one export";
    metric_interval: Milliseconds = "OTEL_METRIC_EXPORT_INTERVAL", "60000", "Milliseconds between two exports of metrics";
    log: String = "RUST_LOG", "info,sqlx=warn,sea_orm_migration=warn,hyper=warn,apalis_core=warn", "Log filter, as tracing directives";
    log_dir: Option<PathBuf> = "INSULA_LOG_DIR", "", "Folder for log files (JSON lines), in addition to stderr: files of at most 10 MiB, of which 30 are kept, and errors in a file for each day; if unset, none";
    no_color: Option<String> = "NO_COLOR", "", "Set to any value to disable colours (no-color.org)";
}

impl Config {
    /// The database's URL; by default SQLite in the data folder.
    pub fn database_url(&self) -> String {
        match &self.database_url {
            Some(url) => ca_bundle::add_to_url(url.expose().clone(), self.ca.as_ref()),
            None => DatabaseUrl::of_file(&self.data_dir.join("insula.db")),
        }
    }

    /// The URL that migrations use.
    pub fn migration_url(&self) -> String {
        match &self.migration_database_url {
            Some(url) => ca_bundle::add_to_url(url.expose().clone(), self.ca.as_ref()),
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

    /// Does the access log show paths that no route has? They help developers who look at the console. They can contain
    /// anything, so they are in no log that is kept or sent elsewhere.
    pub fn shows_unknown_paths(&self) -> bool {
        let endpoint = self.otlp_logs_endpoint.as_ref().or(self.otlp_endpoint.as_ref());
        !self.is_production() && self.log_dir.is_none() && endpoint.is_none()
    }

    /// Are migrations applied at start?
    pub fn migrates_on_start(&self) -> bool {
        self.migrate_on_start.unwrap_or(!self.is_production())
    }

    /// Is a database login refused that owns tables or bypasses row-level security?
    pub fn requires_separate_database_login(&self) -> bool {
        self.require_separate_database_login.unwrap_or(self.is_production())
    }

    /// How long new connections are accepted after SIGTERM.
    pub fn drain_delay(&self) -> Duration {
        self.drain_delay.unwrap_or(Duration::from_secs(if self.is_production() { 5 } else { 0 }))
    }

    /// Interval between two checks for changed keys; at least 100 ms.
    pub fn key_reload(&self) -> Duration {
        self.key_reload.max(Duration::from_millis(100))
    }

    /// Is it hidden which e-mail addresses have an account?
    pub fn hides_existing_accounts(&self) -> bool {
        self.hide_existing_accounts.unwrap_or(self.is_production() && self.sends_mail())
    }

    /// Does this installation send e-mail? Then new accounts must verify their e-mail address.
    pub fn sends_mail(&self) -> bool {
        self.smtp_url.is_some() || self.mail_folder.is_some()
    }

    /// Are e-mails kept in memory and shown at `/dev/mail`? Only in development, if no e-mail is sent.
    pub fn keeps_mail(&self) -> bool {
        !self.sends_mail() && !self.is_production()
    }

    /// # Errors
    /// One line for each setting that makes a production installation insecure, prevents registration, or contradicts
    /// another setting.
    pub fn refuse_insecure(&self) -> Result<(), ConfigError> {
        let mut faults = public_url::faults(self.public_url.as_deref(), self.cookie_domain.as_deref());
        if self.hides_existing_accounts() && !self.sends_mail() {
            faults.push(
                "INSULA_HIDE_EXISTING_ACCOUNTS: needs INSULA_SMTP_URL or INSULA_MAIL_FOLDER, because the answer is sent by e-mail".into(),
            );
        }
        if self.is_production() {
            match &self.secret_key {
                None => {
                    faults
                        .push(format!("INSULA_SECRET_KEY: required in production; {HOW_TO_GENERATE_A_KEY}"));
                }
                Some(key) => faults.extend(weakness("INSULA_SECRET_KEY", key.expose())),
            }
            let previous = self.secret_key_previous.as_ref();
            faults.extend(previous.and_then(|key| weakness("INSULA_SECRET_KEY_PREVIOUS", key.expose())));
            match &self.public_url {
                None => faults
                    .push("INSULA_PUBLIC_URL: required in production, such as https://insula.example".into()),
                Some(url) if !url.starts_with("https://") => {
                    faults.push("INSULA_PUBLIC_URL: must use https in production".into());
                }
                Some(_) => {}
            }
            if self.password_memory.0 < PasswordMemory::SAFE {
                faults.push("INSULA_PASSWORD_MEMORY: production requires at least 19456 KiB, so that guessing passwords is expensive".into());
            }
            if self.session_cache_ttl > Duration::from_secs(1) {
                faults.push("INSULA_SESSION_CACHE_TTL: must be 1 or less in production, so that ended sessions are refused within a second".into());
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(ConfigError(faults)),
        }
    }
}

const HOW_TO_GENERATE_A_KEY: &str = "generate one with `openssl rand -base64 48`";

/// Why production refuses a master key, or `None` if it is accepted.
fn weakness(name: &str, key: &str) -> Option<String> {
    let fault = match () {
        () if key.len() < MasterKey::MIN => "shorter than 32 bytes",
        () if is_guessable(key) => "guessable",
        () => return None,
    };
    Some(format!("{name}: {fault}; {HOW_TO_GENERATE_A_KEY}"))
}

/// Does the key have few different characters, or contain a word that examples use?
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

//! Database URLs, in all common spellings.

use std::{
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

use url::{Url, form_urlencoded};

use super::value::Value;
use crate::base::crypto::Secret;

/// The URL of a database, as sqlx parses it. It may contain a password.
#[derive(Clone)]
pub struct DatabaseUrl(Secret<String>);

/// The accepted schemes. Each may name the driver that other programs use, such as `postgresql+psycopg`.
const SCHEMES: &str = "postgres://user:password@host:5432/database or sqlite://data/insula.db (relative; \
    sqlite:///var/lib/insula/insula.db is absolute)";
const SQLITE: &str = "a file, such as sqlite://data/insula.db (relative to the working directory) or sqlite:///var/lib/insula/insula.db (absolute), with % written as %25 and ? as %3F";
const IN_MEMORY: &str = "a persistent database: a file, such as sqlite://data/insula.db";
const POSTGRES: &str = "postgres://user:password@host:5432/database (IPv6: @[::1]:5432; socket: postgres:///database?host=/var/run/postgresql), with special characters in user and password percent-encoded, such as %40 for @, %2F for /, %23 for # and %25 for %";
const ONE_HOST: &str = "one host; for several database servers, use a proxy";
const SSL_MODE: &str = "sslmode=disable, allow, prefer, require, verify-ca or verify-full";

impl DatabaseUrl {
    /// The URL, as sqlx parses it.
    pub fn expose(&self) -> &String {
        self.0.expose()
    }

    /// The login; `None` if the URL does not contain one.
    pub fn login(&self) -> Option<String> {
        let url = Url::parse(self.expose()).ok()?;
        let parameter = url.query_pairs().find(|(key, _)| key == "user").map(|(_, user)| user.into_owned());
        parameter.or_else(|| percent_decoded(url.username())).filter(|login| !login.is_empty())
    }

    /// The URL of a SQLite file, with any characters in its path.
    pub(super) fn of_file(path: &Path) -> String {
        sqlite_url(&path.display().to_string(), "")
    }
}

impl Value for DatabaseUrl {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once(':').ok_or(SCHEMES)?;
        let (scheme, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        let is_driver = driver.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let url = match scheme {
            "postgres" | "postgresql" if is_driver => postgres(rest)?,
            "sqlite" if is_driver => sqlite(rest)?,
            _ => return Err(SCHEMES),
        };
        Ok(Self(Secret::new(url)))
    }
}

/// `rest` is what follows `sqlite:`.
fn sqlite(rest: &str) -> Result<String, &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = percent_decoded(path.strip_prefix("//").unwrap_or(path)).ok_or(SQLITE)?;
    if path == ":memory:"
        || path == "/:memory:"
        || query.contains("mode=memory")
        || path.is_empty() && query.is_empty()
    {
        return Err(IN_MEMORY);
    }
    let known = ["mode", "cache", "immutable", "vfs"];
    if form_urlencoded::parse(query.as_bytes()).any(|(key, _)| !known.contains(&&*key)) {
        return Err(SQLITE);
    }
    let path = match path.strip_prefix('/') {
        // The spelling of SQLAlchemy, in which the third slash only ends the empty host.
        Some(relative) if relative.starts_with("./") || relative.starts_with("../") => relative,
        Some(absolute) if absolute.starts_with('/') => absolute,
        // For SQLAlchemy this is a file in the working directory, for all other programs a file in the root directory.
        Some(file) if !file.contains('/') => return Err(SQLITE),
        _ => path.as_str(),
    };
    let is_file = !path.is_empty() && !path.ends_with('/') && !path.contains('\0');
    is_file.then(|| sqlite_url(path, query)).ok_or(SQLITE)
}

/// Encodes the characters that sqlx decodes.
fn sqlite_url(path: &str, query: &str) -> String {
    // sqlx would remove pairs of slashes at the beginning.
    let rest = path.trim_start_matches('/');
    let root = if rest.len() < path.len() { "/" } else { "" };
    let path = format!("{root}{rest}").replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}{}{query}", if query.is_empty() { "" } else { "?" })
}

/// `rest` is what follows `postgres:`.
fn postgres(rest: &str) -> Result<String, &'static str> {
    let rest = rest.strip_prefix("//").ok_or(POSTGRES)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    let (login, host) = authority.rsplit_once('@').map_or(("", authority), |(login, host)| (login, host));
    if host.contains(',') {
        return Err(ONE_HOST);
    }
    // The host may be missing if it is a parameter, but a URL with a login needs one.
    let host =
        if host.is_empty() || host.starts_with(':') { format!("localhost{host}") } else { host.to_owned() };
    let login = if login.is_empty() { String::new() } else { format!("{login}@") };
    let mut url = Url::parse(&format!("postgres://{login}{host}{path_and_query}")).map_err(|_| POSTGRES)?;
    let address =
        url.host_str().and_then(|host| host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
    let pairs: Vec<_> =
        url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    for (key, value) in &pairs {
        match key.as_str() {
            "host" if value.contains(',') => return Err(ONE_HOST),
            "port" if value.parse::<u16>().is_err() => return Err(POSTGRES),
            "hostaddr" if value.parse::<IpAddr>().is_err() => return Err(POSTGRES),
            "sslmode" | "ssl-mode"
                if !["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
                    .contains(&value.to_lowercase().as_str()) =>
            {
                return Err(SSL_MODE);
            }
            _ => {}
        }
    }
    if url.fragment().is_some() || url.port() == Some(0) || percent_decoded(url.path()).is_none() {
        return Err(POSTGRES);
    }
    // sqlx would resolve an IPv6 address with brackets as a host name.
    if let Some(address) = address
        && !pairs.iter().any(|(key, _)| key == "host" || key == "hostaddr")
    {
        url.set_host(Some("localhost")).map_err(|_| POSTGRES)?;
        url.query_pairs_mut().append_pair("hostaddr", &address.to_string());
    }
    Ok(url.into())
}

/// Percent-decoded (RFC 3986 §2.1). A `%` without two hexadecimal digits is refused, because its meaning is unclear.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, &'static str> {
        <DatabaseUrl as Value>::parse(text).map(|url| url.expose().clone())
    }

    #[test]
    fn all_common_spellings_of_a_file_are_accepted() {
        for (text, url) in [
            ("sqlite://data/insula.db", "sqlite://data/insula.db"),
            ("sqlite:data/insula.db", "sqlite://data/insula.db"),
            ("sqlite:x.db", "sqlite://x.db"),
            ("sqlite:///var/lib/x.db", "sqlite:///var/lib/x.db"),
            ("sqlite:////var/lib/x.db", "sqlite:///var/lib/x.db"),
            ("sqlite:///./x.db", "sqlite://./x.db"),
            ("sqlite:///../x.db", "sqlite://../x.db"),
            ("sqlite+aiosqlite:///./x.db", "sqlite://./x.db"),
            ("sqlite://a%25b%3Fc.db?mode=rwc", "sqlite://a%25b%3Fc.db?mode=rwc"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(url), "{text}");
        }
        assert_eq!(DatabaseUrl::of_file(Path::new("//srv/x.db")), "sqlite:///srv/x.db");
        assert_eq!(DatabaseUrl::of_file(Path::new("100%/a?b#c/x.db")), "sqlite://100%25/a%3Fb%23c/x.db");
    }

    #[test]
    fn invalid_files_are_refused_with_the_expected_form() {
        for text in
            ["sqlite:///x.db", "sqlite://100%/x.db", "sqlite://data/", "sqlite:///", "sqlite://x.db?size=1"]
        {
            assert_eq!(read(text), Err(SQLITE), "{text}");
        }
        for text in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:///:memory:",
            "sqlite://",
            "sqlite://x?mode=memory",
        ] {
            assert_eq!(read(text), Err(IN_MEMORY), "{text}");
        }
        for text in
            ["mysql://a@b/c", "jdbc:postgresql://b/c", "insula.db", "", "host=b dbname=c", "sqlite3://x"]
        {
            assert_eq!(read(text), Err(SCHEMES), "{text}");
        }
    }

    #[test]
    fn all_common_spellings_of_a_server_are_accepted() {
        for (text, url) in [
            ("postgres://u:p@h:5433/d", "postgres://u:p@h:5433/d"),
            ("postgresql+psycopg://u:p@h/d", "postgres://u:p@h/d"),
            ("postgresql+asyncpg://h/d?sslmode=require", "postgres://h/d?sslmode=require"),
            ("postgres://u@[::1]:5433/d", "postgres://u@localhost:5433/d?hostaddr=%3A%3A1"),
            ("postgres:///d?host=/run/postgresql", "postgres://localhost/d?host=/run/postgresql"),
            ("postgres://u@/d?host=/run/postgresql", "postgres://u@localhost/d?host=/run/postgresql"),
            ("postgres://%2Frun%2Fpostgresql/d", "postgres://%2Frun%2Fpostgresql/d"),
            ("postgres://u:hunter2%40%2F%23%25@h/d", "postgres://u:hunter2%40%2F%23%25@h/d"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(url), "{text}");
        }
    }

    #[test]
    fn invalid_servers_are_refused_with_the_expected_form() {
        for text in [
            "postgres:h/d",
            "postgres://u:p#q@h/d",
            "postgres://u:p/q@h/d",
            "postgres://h:0/d",
            "postgres://h:port/d",
            "postgres://[::1/d",
        ] {
            assert_eq!(read(text), Err(POSTGRES), "{text}");
        }
        assert_eq!(read("postgres://a,b/d"), Err(ONE_HOST));
        assert_eq!(read("postgres://h/d?sslmode=on"), Err(SSL_MODE));
    }
}

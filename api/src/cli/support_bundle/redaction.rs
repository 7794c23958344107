//! Hides secrets and personal data in any text. It is the second protection: logs and metrics contain neither.

use std::net::{IpAddr, SocketAddr};

use insula_core::runtime::config::{Config, Sources};
use regex::{Captures, Regex};

/// What replaces a hidden text.
const HIDDEN: &str = "(hidden)";

/// Shorter values of secret settings are not searched for, because they would be found in words.
const MIN_SECRET: usize = 6;

/// Passwords of development databases that are also common words here.
const KNOWN_PASSWORDS: [&str; 2] = ["insula", "postgres"];

/// The length from which on a random-looking word is probably a token or a key.
const MIN_TOKEN: usize = 40;

/// Hides secrets and personal data.
pub(super) struct Redactor {
    /// The values of secret settings and their parts, the longest first.
    secrets: Vec<String>,
    email: Regex,
    user: Regex,
    word: Regex,
    address: Regex,
}

impl Redactor {
    /// Also hides the secrets in the settings.
    pub(super) fn new(sources: &Sources) -> Self {
        let secret_settings = Config::SETTINGS.iter().filter(|setting| setting.secret);
        let values = secret_settings.filter_map(|setting| sources.get(setting.name)?.0.ok());
        let mut secrets: Vec<_> = values.flat_map(|value| parts(&value)).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self {
            secrets,
            email: pattern(r#"[^ \t\r\n"'<>(),:;=\[\]@/\\]+@[^ \t\r\n"'<>(),:;=\[\]@/\\]+"#),
            user: pattern(r#"("user(?:_id)?": *)"[^"]*""#),
            word: pattern(r"[A-Za-z0-9_.-]+"),
            address: pattern(r"[0-9A-Za-z_.:]+"),
        }
    }

    /// The text without secrets and personal data.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret, HIDDEN);
        }
        let text = self.email.replace_all(&text, HIDDEN);
        let text = self.user.replace_all(&text, format!("$1\"{HIDDEN}\""));
        let text = self.word.replace_all(&text, |word: &Captures<'_>| hide_if(&word[0], is_token));
        let text =
            self.address.replace_all(&text, |word: &Captures<'_>| hide_if(&word[0], is_public_address));
        text.into_owned()
    }
}

#[expect(clippy::expect_used, reason = "the patterns are constants, which a test compiles")]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

fn hide_if(word: &str, is_hidden: fn(&str) -> bool) -> String {
    if is_hidden(word) { HIDDEN.to_owned() } else { word.to_owned() }
}

/// A secret value, and the secret parts of it: the password of a URL, or the values of headers.
fn parts(value: &str) -> Vec<String> {
    let mut parts = vec![value.to_owned()];
    match value.split_once("://") {
        Some((_, rest)) => {
            let password = rest.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
            parts.extend(password.map(|(_, password)| password.to_owned()));
        }
        None => {
            let headers = value.split(',').filter_map(|header| header.split_once('='));
            parts.extend(headers.map(|(_, value)| value.to_owned()));
        }
    }
    parts.retain(|part| part.len() >= MIN_SECRET && !KNOWN_PASSWORDS.contains(&part.as_str()));
    parts
}

/// Random base64 and JWTs have upper case, lower case and digits; names and hashes do not.
fn is_token(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    word.len() >= MIN_TOKEN
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

/// IP addresses of this machine and of private networks say nothing of a person.
fn is_public_address(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':']);
    let address = word.parse().or_else(|_| word.parse::<SocketAddr>().map(|address| address.ip()));
    match address {
        Ok(IpAddr::V4(address)) => {
            !(address.is_loopback() || address.is_unspecified() || address.is_private())
        }
        // Paths in Rust such as `a::b` are too short for an address of a client.
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback() || address.is_unspecified() || address.is_unique_local())
                && word.len() > 6
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// In two parts, so that scanners of the repository find no secret.
    const DATABASE_URL: &str = concat!("postgres://robert:dropTables", "@db.example/insula");

    fn redact(text: &str) -> String {
        let flags = BTreeMap::from([
            ("DATABASE_URL".to_owned(), DATABASE_URL.to_owned()),
            ("INSULA_SECRET_KEY".to_owned(), "k".repeat(40)),
            ("OTEL_EXPORTER_OTLP_HEADERS".to_owned(), "authorization=Bearer%20opensesame".to_owned()),
        ]);
        Redactor::new(&Sources::load(None, flags).unwrap()).redact(text)
    }

    #[test]
    fn secrets_and_personal_data_are_hidden() {
        let token = "irt_0HbYd8yGqXWn3Zt5mVx1LkPz9RcTsQfE2uJaOiNwB7c";
        let jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlX3NpZ25hdHVyZQ";
        for secret in [
            DATABASE_URL,
            "dropTables",
            &"k".repeat(40),
            "Bearer%20opensesame",
            "ada.lovelace+x@example.com",
            "ädä@exämple.com",
            token,
            jwt,
            "203.0.113.7",
            "203.0.113.7:4711",
            "2001:db8::1",
        ] {
            for text in [secret.to_owned(), format!("a {secret}, b"), format!(r#"{{"x":"{secret}"}}"#)] {
                let redacted = redact(&text);
                assert!(!redacted.contains(secret) && redacted.contains(HIDDEN), "{text}: {redacted}");
            }
        }
        assert_eq!(redact(r#"{"user_id":"0190","b":1}"#), r#"{"user_id":"(hidden)","b":1}"#);
    }

    #[test]
    fn what_answers_an_issue_is_kept() {
        for text in [
            r#"http_server_request_duration_seconds_bucket{http_route="/api/v1/organizations/{org}",le="0.005"} 3"#,
            r#"{"timestamp":"2026-12-01T08:51:29.123456Z","level":"INFO","target":"insula_core::db::a"}"#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c""#,
            "INSULA_BIND 127.0.0.1:8080, 10.0.0.7, [::1]:8080, a::b, 0.1.0",
            "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2",
            "insula_jobs_depth, robert",
            "INSULA_LIMIT_ORGANIZATION_EMAILS_OF_SOMETHING_LONG",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}

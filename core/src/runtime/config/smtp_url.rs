//! The URL of the mail server.

use std::net::IpAddr;

use super::value::Value;
use crate::base::crypto::Secret;

/// A mail server and how to connect to it. It may contain a password.
#[derive(Clone)]
pub struct SmtpUrl {
    /// Host name, or IP address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: SmtpTls,
    /// User and password; `None` if the server needs none.
    pub login: Option<(String, Secret<String>)>,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// Immediately, as `smtps://` requests (RFC 8314 §3.3).
    Implicit,
    /// With STARTTLS. A server that does not offer it gets no e-mail (RFC 3207).
    Required,
    /// With STARTTLS, if the server offers it.
    Opportunistic,
    /// Never: the connection is not encrypted.
    None,
}

const EXPECTED: &str = "a URL such as smtps://user:password@mail.example:465 or smtp://mail.example:587?tls=required (or opportunistic, none), with special characters in user and password percent-encoded, such as %40 for @ and %2F for /";

impl SmtpUrl {
    /// Is the server on this machine? Then nobody can intercept the connection.
    pub fn is_local(&self) -> bool {
        let is_loopback = |host: &str| host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.host.eq_ignore_ascii_case("localhost") || is_loopback(&self.host)
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_implicit = match scheme {
            "smtp" => false,
            "smtps" => true,
            _ => return None,
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (login, host_and_port) = match authority.rsplit_once('@') {
            Some((login, host_and_port)) => (Some(parse_login(login)?), host_and_port),
            None => (None, authority),
        };
        let (host, port) = parse_host_and_port(host_and_port)?;
        let mut server = Self { host, port: port.unwrap_or_default(), tls: SmtpTls::Implicit, login };
        server.tls = match (is_implicit, query) {
            (true, "") => SmtpTls::Implicit,
            (false, "") if server.is_local() => SmtpTls::None,
            (false, "" | "tls=required") => SmtpTls::Required,
            (false, "tls=opportunistic") => SmtpTls::Opportunistic,
            (false, "tls=none") => SmtpTls::None,
            _ => return None,
        };
        server.port = port.unwrap_or(match server.tls {
            SmtpTls::Implicit => 465,
            SmtpTls::Required | SmtpTls::Opportunistic => 587,
            SmtpTls::None => 25,
        });
        Some(server)
    }
}

impl Value for SmtpUrl {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, &'static str> {
        Self::read(text).ok_or(EXPECTED)
    }
}

fn parse_login(text: &str) -> Option<(String, Secret<String>)> {
    let (user, password) = text.split_once(':')?;
    let (user, password) = (decoded(user)?, decoded(password)?);
    (!user.is_empty()).then_some((user, Secret::new(password)))
}

fn parse_host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None if port.is_empty() => None,
        None => return None,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    (!host.is_empty() && host.bytes().all(allowed)).then(|| (host.to_owned(), port))
}

/// Percent-decoded (RFC 3986 §2.1). Control characters are refused, because SMTP ends commands with them.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, u16, SmtpTls)> {
        SmtpUrl::read(text).map(|server| (server.host, server.port, server.tls))
    }

    #[test]
    fn tls_is_required_unless_the_server_is_on_this_machine() {
        for (text, host, port, tls) in [
            ("smtps://mail.example", "mail.example", 465, SmtpTls::Implicit),
            ("smtps://mail.example:10465/", "mail.example", 10465, SmtpTls::Implicit),
            ("smtp://mail.example", "mail.example", 587, SmtpTls::Required),
            ("smtp://mail.example:25?tls=opportunistic", "mail.example", 25, SmtpTls::Opportunistic),
            ("smtp://mail.example?tls=none", "mail.example", 25, SmtpTls::None),
            ("smtp://localhost:1025", "localhost", 1025, SmtpTls::None),
            ("smtp://127.0.0.1/?tls=required", "127.0.0.1", 587, SmtpTls::Required),
            ("smtp://[::1]:1025", "::1", 1025, SmtpTls::None),
            ("smtp://[2001:db8::1]", "2001:db8::1", 587, SmtpTls::Required),
        ] {
            assert_eq!(read(text), Some((host.to_owned(), port, tls)), "{text}");
        }
    }

    #[test]
    fn invalid_servers_are_refused() {
        for bad in [
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp:///x",
            "smtp://user@",
            "smtp://user@mail.example",
            "smtp://:password@mail.example",
            "smtp://mail.example:0",
            "smtp://mail.example:70000",
            "smtp://mail.example:",
            "smtp://mail.example/inbox",
            "smtp://mail example",
            "smtp://::1:25",
            "smtp://[::1",
            "smtp://mail.example?tls=maybe",
            "smtp://mail.example?tsl=required",
            "smtps://mail.example?tls=none",
            "smtp://user:pass%0D%0Aword@mail.example",
            "smtp://user:pass%4@mail.example",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn user_and_password_are_decoded() {
        let login = |text| {
            SmtpUrl::read(text).unwrap().login.map(|(user, password)| (user, password.expose().clone()))
        };
        let expected = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(login("smtp://a%40b.example:p%2Fw%3a%25@mail.example"), expected("a@b.example", "p/w:%"));
        assert_eq!(login("smtp://a@b.example:p@w@mail.example"), expected("a@b.example", "p@w"));
        assert_eq!(login("smtp://mail.example"), None);
    }
}

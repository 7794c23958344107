//! Host names.

use super::value::Value;

/// A fully qualified host name, such as `mail.example.com`: lower case, ASCII only (RFC 5890 §2.3.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name, without a dot at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host of a URL; `None` if it has none, or if the host is an IP address or a name without a dot.
    pub fn of_url(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host_and_port = authority.rsplit('@').next()?;
        Self::parse(host_and_port.split(':').next()?).ok()
    }
}

impl Value for HostName {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "a full host name, such as mail.example.com";
        let name = idna::domain_to_ascii_strict(text.trim_end_matches('.')).map_err(|_| expected)?;
        // A top-level domain is never a number, because that would be an IP address (RFC 3696 §2).
        let top = name.rsplit_once('.').map(|(_, top)| top);
        let is_name =
            top.is_some_and(|top| !top.is_empty() && !top.bytes().all(|byte| byte.is_ascii_digit()));
        is_name.then_some(Self(name)).ok_or(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fully_qualified_host_names_are_accepted() {
        for (text, name) in [
            ("mail.example.com", "mail.example.com"),
            ("Mail.Example.COM.", "mail.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), name);
        }
        for bad in [
            "",
            "localhost",
            "192.0.2.1",
            "[::1]",
            "::1",
            "a b.example",
            "a_b.example",
            "x..y",
            "a.example\r\nQUIT",
        ] {
            assert!(HostName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_name_is_extracted_from_a_url() {
        for (url, name) in [
            ("https://insula.example", Some("insula.example")),
            ("https://insula.example:8443/app", Some("insula.example")),
            ("https://Bücher.example/?a=b", Some("xn--bcher-kva.example")),
            ("http://127.0.0.1:8080", None),
            ("http://[::1]:8080", None),
            ("http://localhost:1", None),
            ("", None),
        ] {
            assert_eq!(HostName::of_url(url).as_ref().map(HostName::as_str), name, "{url}");
        }
    }
}

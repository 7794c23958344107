//! Parses the texts of settings.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

use crate::base::{crypto::Secret, rate::Rate};

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// Is the value secret, so that it is never shown?
    const SECRET: bool = false;

    /// Parses a value. The error says what was expected.
    fn parse(text: &str) -> Result<Self, &'static str>;
}

/// The environment in which the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// For developers: permissive settings and coloured logs.
    Development,
    /// For real users: insecure settings are refused.
    Production,
}

impl Environment {
    /// The value of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl Value for Environment {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err("`development` or `production`"),
        }
    }
}

/// How strict the Content-Security-Policy of pages is (CSP Level 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CspMode {
    /// Only what the pages need.
    Strict,
    /// Also inline styles, and images, fonts and requests from elsewhere over https; never a script of another origin.
    Relaxed,
    /// No header, for a reverse proxy that sets its own.
    Disabled,
}

impl Value for CspMode {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "strict" => Ok(Self::Strict),
            "relaxed" => Ok(Self::Relaxed),
            "disabled" => Ok(Self::Disabled),
            _ => Err("`strict`, `relaxed` or `disabled`"),
        }
    }
}

/// The name of the product, as users see it: 1 to 50 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductName(pub String);

impl Value for ProductName {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let is_valid = (1..=50).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        let expected = "1 to 50 characters, without control characters and without spaces at the ends";
        is_valid.then(|| Self(text.to_owned())).ok_or(expected)
    }
}

/// Origins, spelled as in the header `Origin` of browsers (RFC 6454 §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginList(pub Vec<String>);

impl Value for OriginList {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let is_origin = |origin: &str| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| {
                let allowed =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
                !host.is_empty() && host.bytes().all(allowed)
            })
        };
        let origins: Vec<_> = text.split(',').map(|origin| origin.trim().to_owned()).collect();
        let expected = "origins such as https://console.insula.example: only scheme, host and port, in lower case, separated by commas";
        origins.iter().all(|origin| is_origin(origin)).then_some(Self(origins)).ok_or(expected)
    }
}

/// Networks, as `203.0.113.0/24`, `2001:db8::/32` or a single IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// Is the IP address in one of the networks?
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Value for Networks {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let network = |text: &str| {
            let address = || text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
            text.parse().or_else(|_| address())
        };
        let networks: Result<Vec<_>, _> = text.split(',').map(|text| network(text.trim())).collect();
        networks
            .map(Self)
            .map_err(|_| "networks such as 10.0.0.0/8 or single IP addresses, separated by commas")
    }
}

impl Value for bool {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err("`true` or `false`"),
        }
    }
}

impl Value for u32 {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| *n > 0).ok_or("a whole number greater than 0")
    }
}

impl Value for u64 {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| *n > 0).ok_or("a whole number greater than 0")
    }
}

impl Value for usize {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| *n > 0).ok_or("a whole number greater than 0")
    }
}

/// Minimum length of a new password, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordLength(pub usize);

impl Value for PasswordLength {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| (8..=64).contains(n)).map(Self).ok_or("a whole number from 8 to 64")
    }
}

/// Memory of a password hash, in KiB: at least what Argon2 needs, and at most what is still verified.
#[derive(Clone, Copy, Debug)]
pub struct PasswordMemory(pub u32);

impl PasswordMemory {
    /// The minimum in production, which OWASP's Password Storage Cheat Sheet recommends with two passes.
    pub const SAFE: u32 = 19_456;
}

impl Value for PasswordMemory {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let parsed = text.parse().ok().filter(|n| (8..=65_536).contains(n));
        parsed.map(Self).ok_or("a whole number from 8 to 65536")
    }
}

impl Value for Duration {
    fn parse(text: &str) -> Result<Self, &'static str> {
        /// Ten years. The sum of an instant and a duration must be a valid instant.
        const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        let duration = text.parse().ok().and_then(|seconds| Self::try_from_secs_f64(seconds).ok());
        duration.filter(|duration| *duration <= LONGEST).ok_or("a number of seconds, at most ten years")
    }
}

impl Value for Rate {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Self::parse(text).ok_or("a number per period, such as `10/min`, `3/h` or `5/15min`")
    }
}

impl Value for SocketAddr {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "an IP address and port, such as 127.0.0.1:8080")
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(text.to_owned())
    }
}

impl Value for Secret<String> {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(Self::new(text.to_owned()))
    }
}

impl<T: Value> Value for Option<T> {
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.is_empty() {
            true => Ok(None),
            false => T::parse(text).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn networks() -> impl Strategy<Value = Vec<IpNet>> {
        let v4 = (any::<[u8; 4]>().prop_map(IpAddr::from), 0u8..=32);
        let v6 = (any::<[u16; 8]>().prop_map(IpAddr::from), 0u8..=128);
        let network = prop_oneof![v4, v6].prop_map(|(address, length)| IpNet::new(address, length).unwrap());
        proptest::collection::vec(network, 1..5)
    }

    proptest! {
        #[test]
        fn displayed_networks_parse_to_themselves(networks in networks(), spaces in " {0,2}") {
            let shown: Vec<_> = networks.iter().map(ToString::to_string).collect();
            let read = <Networks as Value>::parse(&shown.join(&format!("{spaces},{spaces}"))).unwrap();
            prop_assert!(networks.iter().all(|network| read.contain(network.addr())));
            prop_assert_eq!(read.0, networks);
        }

        #[test]
        fn an_ip_address_is_a_network_with_one_address(bits in any::<u128>(), other in any::<u128>()) {
            let address = |bits| IpAddr::from(Ipv6Addr::from_bits(bits)).to_canonical();
            let read = <Networks as Value>::parse(&address(bits).to_string()).unwrap();
            prop_assert!(read.contain(address(bits)));
            prop_assert_eq!(read.contain(address(other)), address(bits) == address(other));
        }

        #[test]
        fn a_parsed_network_displays_and_parses_to_itself(text in prop_oneof![any::<String>(), "[0-9a-f.:/, ]{0,24}"]) {
            if let Ok(Networks(read)) = <Networks as Value>::parse(&text) {
                let shown: Vec<_> = read.iter().map(ToString::to_string).collect();
                prop_assert_eq!(<Networks as Value>::parse(&shown.join(",")), Ok(Networks(read)));
            }
        }

        #[test]
        fn an_origin_has_no_path_no_user_and_no_wildcard(
            text in prop_oneof![any::<String>(), "(https?://[a-zA-Z0-9.:*@/?# \\[\\]-]{0,16},?){1,3}"],
        ) {
            if let Ok(OriginList(origins)) = <OriginList as Value>::parse(&text) {
                for origin in origins {
                    let (_, host) = origin.split_once("://").unwrap();
                    prop_assert!(!host.is_empty() && !host.contains(['/', '*', '@', '?', '#', ' ']));
                    prop_assert_eq!(origin.to_lowercase(), origin);
                }
            }
        }
    }
}

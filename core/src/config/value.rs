//! How a setting's text becomes a value.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::secret::Secret;

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// Must it never be shown?
    const SECRET: bool = false;

    /// The value, or what was expected instead.
    fn parse(text: &str) -> Result<Self, &'static str>;
}

/// Where the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's desk.
    Development,
    /// For real users.
    Production,
}

impl Environment {
    /// As it is configured.
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
        text.parse().ok().filter(|n| *n > 0).ok_or("a whole number above 0")
    }
}

impl Value for u64 {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| *n > 0).ok_or("a whole number above 0")
    }
}

impl Value for usize {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| *n > 0).ok_or("a whole number above 0")
    }
}

/// Fewest characters of a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordLength(pub usize);

impl Value for PasswordLength {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| (8..=64).contains(n)).map(Self).ok_or("a whole number from 8 to 64")
    }
}

impl Value for Duration {
    fn parse(text: &str) -> Result<Self, &'static str> {
        /// Ten years: what is added to an instant must still be one.
        const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        let duration = text.parse().ok().and_then(|seconds| Self::try_from_secs_f64(seconds).ok());
        duration.filter(|duration| *duration <= LONGEST).ok_or("a number of seconds, at most ten years")
    }
}

impl Value for SocketAddr {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "an address and port, such as 127.0.0.1:8080")
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
